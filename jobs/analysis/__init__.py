"""Reading the record: query answers, explain, evaluate and its comparison models.

Nothing here changes a stored record, with one exception: store_baselines, for `backfill --baselines`. Not here: anything that a
daily run needs.
"""
