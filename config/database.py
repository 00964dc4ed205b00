"""From `DATABASE_URL` to Django's settings of the one database. What libpq understands reaches libpq, TLS above all."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, OperationalError
from psycopg import ProgrammingError, errors
from psycopg.conninfo import conninfo_to_dict

from audit.away import first_line

_PLACES = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
# A forgotten transaction must never hold a lease or a budget row for minutes.
# Only the hot statements are prepared; planning one anew costs as much as running it.
# The last three are what every server does until somebody tells it, or our role, otherwise: guarded writes count on the
# isolation, and dates in any other style cannot be read.
_SESSION = (
    "-c idle_in_transaction_session_timeout=60s -c lock_timeout=30s -c plan_cache_mode=force_generic_plan "
    r"-c default_transaction_isolation=read\ committed -c datestyle=ISO -c intervalstyle=postgres"
)


def settings_of(dsn: str, *, kept_seconds: int) -> dict[str, Any]:
    """`sslmode`, `sslrootcert`, `target_session_attrs` and the like are handed on; `options` of the address come after ours, so
    they win. Raises ImproperlyConfigured when it is no address, without repeating what stands in it.
    """
    try:
        given = conninfo_to_dict(dsn)
    except ProgrammingError:
        example = "DATABASE_URL=postgresql://holdpoint:secret@db.example/holdpoint?sslmode=verify-full"
        raise ImproperlyConfigured(
            f"DATABASE_URL is no PostgreSQL address. A right one looks like {example}."
        ) from None
    places = {django: str(given.pop(name, "") or "") for name, django in _PLACES.items()}
    options = f"{_SESSION} {given.pop('options', '')}".strip()
    return {
        "ENGINE": "django.db.backends.postgresql",
        **places,
        # A service file says which database.
        "NAME": places["NAME"] or ("" if "service" in given else "holdpoint"),
        "CONN_MAX_AGE": kept_seconds,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 5,
            "prepare_threshold": 3,
            "application_name": "holdpoint",
            **given,
            "options": options,
        },
    }


# What PostgreSQL refuses, and what is to be done about it.
_REMEDIES: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    (
        (errors.UndefinedTable, errors.UndefinedColumn, errors.UndefinedFunction),
        "The database is not as this code needs it ({said}). Run `manage.py migrate` as the owner of its tables.",
    ),
    (
        (errors.InsufficientPrivilege,),
        "The database refuses it ({said}). Give its role the privileges anew that docs/production.md lists.",
    ),
    (
        (errors.ReadOnlySqlTransaction,),
        "The database takes nothing in ({said}). Is it a standby? DATABASE_URL must lead to the primary.",
    ),
    (
        (errors.DuplicatePreparedStatement, errors.InvalidSqlStatementName),
        "The session is not ours alone ({said}): a pooler gives each transaction another one. "
        "Let it pool sessions (docs/production.md).",
    ),
)


def in_a_sentence(error: DatabaseError) -> str:
    """What keeps a command from its work, and what to do about it; "" where that is a mistake of ours."""
    cause, said = error.__cause__, first_line(error)
    for kinds, words in _REMEDIES:
        if isinstance(cause, kinds):
            return words.format(said=said)
    if not isinstance(error, OperationalError):
        return ""
    # It answered: a lock that others held, a time-out, a full disk.
    if getattr(cause, "sqlstate", None):
        return f"The database did not do it: {said}. Nothing was half done: try again, and if it stays so, see its log."
    return f"The database did not answer: {said}. See that it runs, and that DATABASE_URL leads to it."
