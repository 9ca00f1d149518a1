"""The record on a PostgreSQL server. The one door to psycopg: connections, locks, the schema and the server's errors.

The record is the same as on SQLite: tables, views, values and their text. Modules outside take a storage.address.Database and
come here when it is a PostgresServer.
"""
