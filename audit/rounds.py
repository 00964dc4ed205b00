"""What rounds of background duties survive: one row, or one duty, that fails is logged and delays no other.

A database that takes nothing in (a full disk, a standby) ends the duty, a lost connection the round: whatever came next
would fail as well.
"""

import logging
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any

from django.db import Error, connection
from django.db.models import QuerySet

from audit import failpoints
from audit.away import takes_nothing, told
from audit.lifecycle import run
from audit.refusals import Refusal

logger = logging.getLogger(__name__)


def due(rows: Callable[[], QuerySet[Any]], limit: int) -> list[Any]:
    """The first so many primary keys of the rows a duty has to see to. `rows` must compose the same query set each time:
    what differs from now to then is the database's clock.
    """
    return [key for (key,) in run(_question(rows, limit), [])]


@cache
def _question(rows: Callable[[], QuerySet[Any]], limit: int) -> str:
    """Composed once, because Django takes longer to compose it than PostgreSQL to answer "none", every second. Its values
    stand in the text: the plan is kept as well, and one made for any value would pass by the indexes of a single status.
    """
    text, values = rows().values_list("pk", flat=True)[:limit].query.sql_with_params()
    operations: Any = connection.ops
    return str(operations.compose_sql(text, values)).replace("%", "%%")


def each(keys: Iterable[Any], heal: Callable[[Any], int]) -> int:
    """Heal row by row, each in a transaction of its own; the sum of what it counts.

    Raises the error of a lost connection, and of a database that takes nothing in.
    """
    healed = 0
    for key in keys:
        failpoints.hit("sweep.duty")
        healed += _tried(partial(heal, key), f"one row of {_name(heal)} could not be healed")
        failpoints.hit("sweep.healed")
    return healed


def attend(duty: Callable[[], int]) -> int:
    """See to one duty; what it counted, or 0 where it failed: the next round tries again.

    Raises the error of a lost connection.
    """
    try:
        return _tried(duty, f"{_name(duty)} failed")
    except Error as error:
        if _is_lost():
            raise
        logger.warning("%s: %s", _name(duty), told(error))
    return 0


def _tried(attempt: Callable[[], int], problem: str) -> int:
    try:
        return int(attempt())
    except Refusal:
        return 0  # somebody was faster: that is what the guard is for
    except Error as error:
        if _is_lost() or takes_nothing(error):
            raise
        logger.exception(problem)
    except Exception:
        logger.exception(problem)
    return 0


def _is_lost() -> bool:
    line: Any = connection.connection
    return line is None or line.closed


def _name(work: Any) -> str:
    """The functions it is made of."""
    if (inner := getattr(work, "func", None)) is None:
        return str(getattr(work, "__qualname__", type(work).__name__))
    return " ".join(_name(part) for part in (inner, *getattr(work, "args", ())) if callable(part))
