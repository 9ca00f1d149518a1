"""Whether a login on the server may only read the record, as the one of `sql` and `serve` must."""

from __future__ import annotations

from tickercast.storage.address import PostgresServer
from tickercast.storage.errors import LoginMayWrite
from tickercast.storage.postgres.connections import connected

# What a login may do beyond reading, in the words of the server's documentation; one row for each. Rights count that it has, and
# those that it could get by SET ROLE.
BEYOND_READING = """
SELECT 'is a superuser' FROM pg_roles WHERE rolname = session_user AND rolsuper
UNION ALL SELECT 'may make roles' FROM pg_roles WHERE rolname = session_user AND rolcreaterole
UNION ALL SELECT 'is a member of ' || r.rolname FROM pg_roles r
    WHERE (r.rolsuper OR r.rolname IN ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files',
        'pg_write_all_data', 'pg_signal_backend')) AND r.rolname <> session_user AND pg_has_role(session_user, r.oid, 'MEMBER')
UNION ALL SELECT 'may create in schema ' || current_schema() WHERE has_schema_privilege(session_user, current_schema(), 'CREATE')
UNION ALL SELECT 'may create schemas' WHERE has_database_privilege(session_user, current_database(), 'CREATE')
UNION ALL (SELECT 'may change ' || c.relname FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace
    AND c.relkind IN ('r', 'v', 'm', 'p', 'f', 'S') AND (pg_has_role(session_user, c.relowner, 'MEMBER') OR CASE c.relkind
    WHEN 'S' THEN has_sequence_privilege(session_user, c.oid, 'USAGE, UPDATE')
    ELSE has_table_privilege(session_user, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')
        OR has_any_column_privilege(session_user, c.oid, 'INSERT, UPDATE') END) ORDER BY c.relname)
LIMIT 1
"""


def require_reader(server: PostgresServer) -> None:
    """Raise LoginMayWrite where a login may do more than read the record."""
    with connected(server, "reader") as connection:
        found = connection.execute(BEYOND_READING).fetchone()
    if found is not None:
        raise LoginMayWrite(
            f"store.reader_url: {server}: that login {found[0]}, and may only read; nothing was read; docs/guides/postgresql.md "
            "has the statements that make one"
        )
