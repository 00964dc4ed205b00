"""Is it the database that is away, or takes nothing in? Then nobody made a mistake, and whoever asks may ask again."""

from django.db import InterfaceError, OperationalError
from psycopg.errors import DiskFull, ReadOnlySqlTransaction


def is_away(error: BaseException | None) -> bool:
    """It does not answer, not in time, or is a standby by now."""
    return isinstance(error, (OperationalError, InterfaceError)) or isinstance(
        getattr(error, "__cause__", None), ReadOnlySqlTransaction
    )


def takes_nothing(error: BaseException) -> bool:
    """Its disk is full, or it is a standby by now: no row is to blame, and the next one will not be taken either."""
    return isinstance(error.__cause__, (DiskFull, ReadOnlySqlTransaction))


def told(error: BaseException) -> str:
    """For a line of the log: a database that answers says what keeps it from it."""
    said = first_line(error)
    answered = any(getattr(found, "sqlstate", None) for found in (error, error.__cause__))
    return f"the database does not do it: {said}" if answered else f"the database is away: {said}"


def first_line(error: BaseException) -> str:
    """What happened. What the database adds in further lines quotes values: those belong in no log and on no terminal."""
    return str(error).strip().partition("\n")[0]
