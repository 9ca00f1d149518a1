"""What the store refuses or finds broken.

StorageError
├── DatabaseMissing      no database where one is wanted
├── DatabaseBusy         another program holds the database longer than we wait
├── NotADatabase         a file that is no Tickercast database
├── LibraryMissing       a library that the record's kind of store needs
├── ServerUnreachable    the server of the record does not answer, ended the connection, or only reads for now
├── LoginMayWrite        the login that is to read the record may also change it
├── SchemaNewer          written by a newer program
├── SchemaOlder          wants `tickercast db upgrade`
├── TickerSourceFixed    a ticker keeps its source and its price basis for life
├── UnknownStoredTicker  a symbol that nothing is stored for
├── QueryRefused         a query that would do more than read
├── QueryOverLimit       a query that returned more than allowed
│   └── QueryTooLong     ... that ran longer
├── StoreUnwritable      the disk is full, read-only or not ours
├── StoreUnavailable     an object store does not answer
├── StoreRefused         an object store refuses us, or has no such bucket
└── Corrupt              bytes that are not what was written
"""


class StorageError(Exception):
    """The root: everything that storage raises on purpose."""


class DatabaseMissing(StorageError):
    pass


class DatabaseBusy(StorageError):
    pass


class NotADatabase(StorageError):
    pass


class LibraryMissing(StorageError):
    pass


class ServerUnreachable(StorageError):
    pass


class LoginMayWrite(StorageError):
    pass


class SchemaNewer(StorageError):
    pass


class SchemaOlder(StorageError):
    pass


class TickerSourceFixed(StorageError):
    pass


class UnknownStoredTicker(StorageError):
    pass


def not_stored(symbol: str) -> UnknownStoredTicker:
    """Return the error about a symbol that nothing is stored for."""
    return UnknownStoredTicker(f"{symbol}: nothing is stored for it; `tickercast tickers` lists what is")


class QueryRefused(StorageError):
    pass


class QueryOverLimit(StorageError):
    pass


class QueryTooLong(QueryOverLimit):
    pass


class StoreUnwritable(StorageError):
    pass


class StoreUnavailable(StorageError):
    pass


class StoreRefused(StorageError):
    pass


class Corrupt(StorageError):
    pass
