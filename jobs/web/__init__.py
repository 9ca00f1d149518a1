"""The pages as a server: Tickercast's own, and Datasette's for every view and query. It only reads.

Not here: what a page of ours shows (jobs.pages), or how a query is kept within its limits (storage.query_pool).
"""
