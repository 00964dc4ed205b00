"""Executions that closed transactions have touched, a few at a time: how sums that follow executions are kept."""

from collections.abc import Iterator
from uuid import UUID

from django.db import connection

# Executions that one statement takes: few enough that each is found by its index.
AT_ONCE = 2_000


def by_few(ids: list[UUID]) -> Iterator[list[UUID]]:
    return (ids[at : at + AT_ONCE] for at in range(0, len(ids), AT_ONCE))


def touched(since: int, until: int) -> list[UUID]:
    """By the transactions from `since` to before `until`: a line of the ledger, or an event in the execution's own stream."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM orchestrator_runstouched(%s, %s)", [since, until])
        return [row[0] for row in cursor.fetchall()]


def change(statement: str, ids: list[UUID] | None = None) -> int:
    """Of these executions, or of all that are kept: how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement, None if ids is None else [ids])
        changed: int = cursor.rowcount
    return changed
