"""What a worker process writes together: all at once, over one connection, or else each by itself, so that what can no
longer be written takes nobody with it."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db import Error, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

MOST_AT_ONCE = 32

Outcome = TypeVar("Outcome")

_line: list[BaseDatabaseWrapper] = []


def locked(columns: str) -> str:
    """SQL text of CTEs `given`, the outcomes as JSON with these columns beside their own, and `locked`, with their units.

    The executions are locked first, in one order, like by every other writer of theirs. The limit is what the planner needs
    to know: that these are few, so that every row is found by its index.
    """
    return f"""
given AS MATERIALIZED (
  SELECT g.* FROM json_to_recordset(%(given)s::json) AS g (fence uuid, step uuid, execution uuid, stream text, events jsonb,
    {columns})
  ORDER BY execution LIMIT %(number)s
), locked AS MATERIALIZED (
  SELECT g.*, e.unit_id FROM given AS g CROSS JOIN LATERAL
    (SELECT unit_id FROM orchestrator_execution WHERE id = g.execution FOR NO KEY UPDATE) AS e
)"""


def counted(*moved: str) -> str:
    """SQL text of how many rows these CTEs moved."""
    return " + ".join(f"(SELECT count(*) FROM {one})" for one in moved)


def open_line() -> None:
    """From now on this process settles over one connection of its own, whichever thread writes: one session of the server
    has the statements' plans and the tables at hand, not one for every hand."""
    line = connections.create_connection("default")
    line.inc_thread_sharing()
    _line[:] = [line]


def close_line() -> None:
    while _line:
        _line.pop().close()


def the_line() -> BaseDatabaseWrapper | None:
    """None where this thread's own connection is used."""
    return _line[0] if _line else None


def write_together(outcomes: Sequence[Outcome], write: Callable[[Sequence[Outcome]], None]) -> list[Exception | None]:
    """Write them all at once, or else one by one; what became of each. Raises when the database is lost."""
    try:
        write(outcomes)
    except (OperationalError, InterfaceError):
        # The next write makes the connection anew.
        if (line := the_line()) is not None:
            line.close()
        raise
    except Exception as error:
        # Whatever it is, a bug of ours among it: the others are not to blame.
        return [error] if len(outcomes) == 1 else [_alone(one, write) for one in outcomes]
    return [None] * len(outcomes)


def _alone(outcome: Outcome, write: Callable[[Sequence[Outcome]], None]) -> Exception | None:
    """A database that is lost meanwhile takes nobody's outcome who was written before."""
    try:
        return write_together([outcome], write)[0]
    except Error as error:
        return error
