"""Is it the database that is away, or takes nothing in? Then nobody made a mistake, and whoever asks may ask again."""

from django.db import InterfaceError, OperationalError
from psycopg.errors import ReadOnlySqlTransaction


def is_away(error: BaseException | None) -> bool:
    """It does not answer, not in time, or is a standby by now."""
    return isinstance(error, (OperationalError, InterfaceError)) or isinstance(
        getattr(error, "__cause__", None), ReadOnlySqlTransaction
    )


def first_line(error: BaseException) -> str:
    """What happened. What the database adds in further lines quotes values: those belong in no log and on no terminal."""
    return str(error).strip().partition("\n")[0]
