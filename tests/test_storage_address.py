"""The address of a record on a server: what of it is shown, what others may read, and its options as libpq reads them."""

from __future__ import annotations

from tickercast.storage.address import PostgresServer


def test_what_others_may_read_has_no_password_and_no_key_of_a_certificate() -> None:
    server = PostgresServer("postgresql://a:se%40me@db/x?password=b&sslpassword=c&sslmode=require&options=-csearch_path%3Dtc")
    assert server.shared.url == "postgresql://a@db/x?sslmode=require&options=-csearch_path%3Dtc"
    assert str(server) == "postgresql://a@db/x (schema tc)"
    assert server.password == "se@me"


def test_a_plus_sign_is_itself() -> None:
    server = PostgresServer("postgresql://a@db/x?password=b+c&application_name=d+e")
    assert server.password == "b+c"
    assert server.shared.url == "postgresql://a@db/x?application_name=d%2Be"
