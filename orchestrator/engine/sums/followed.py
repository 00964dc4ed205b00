"""Sums that follow executions: whoever was touched is taken out of them as it was, and put in as it is.

What an execution put in is kept beside it, so nothing needs to know what exactly has changed: a late line, a correction, an end,
a redrive, a repeated try.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Model

from orchestrator.models import CostFold, Execution

# Executions that one statement takes: few enough that each is found by its index.
AT_ONCE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """One kind of them. `mark` is the column of CostFold that says how far it follows; 0: not before `rebuild`.

    `facts` writes what the executions with these ids put in, and `added` the sums of rows named `changed`; so does `taken_out`.
    """

    mark: str
    rows: type[Model]
    sums: type[Model]
    facts: str
    added: str
    taken_out: str
    # What the two of them read of the rows.
    returning: str

    def fold(self, state: CostFold, until: int) -> int:
        """With `state` locked: those touched by transactions that have ended since the last time. How many sums changed."""
        since: int = getattr(state, self.mark)
        if not since or until <= since:
            return 0
        ids = _touched(since, until)
        # Also where nobody was touched: the next look begins here, and does not read again what it has seen.
        changed = sum(self._take_out(some) + self._put_in(some) for some in _by_few(ids))
        CostFold.objects.filter(pk=state.pk).update(**{self.mark: until})
        return changed

    def rebuild(self, state: CostFold, until: int) -> int:
        """With `state` locked: all of them anew. Summed up once, since every version of a sum stays until the end."""
        for model in (self.rows, self.sums):
            model._default_manager.all().delete()
        for some in _by_few(list(Execution.objects.values_list("pk", flat=True))):
            _run(self.facts, [some])
        changed = _run(f"WITH changed AS (SELECT {self.returning} FROM {self._table} AS run) {self.added}", [])
        CostFold.objects.filter(pk=state.pk).update(**{self.mark: until})
        return changed

    @property
    def _table(self) -> str:
        return self.rows._meta.db_table

    def _take_out(self, ids: list[UUID]) -> int:
        gone = f"DELETE FROM {self._table} AS run WHERE execution_id = ANY(%s) RETURNING {self.returning}"
        return _run(f"WITH changed AS ({gone}) {self.taken_out}", [ids])

    def _put_in(self, ids: list[UUID]) -> int:
        return _run(f"WITH changed AS ({self.facts} RETURNING {self.returning}) {self.added}", [ids])


def _by_few(ids: list[UUID]) -> Iterator[list[UUID]]:
    return (ids[at : at + AT_ONCE] for at in range(0, len(ids), AT_ONCE))


def _touched(since: int, until: int) -> list[UUID]:
    """By the transactions from `since` to before `until`: a line of the ledger, or an event in the execution's own stream."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM orchestrator_runstouched(%s, %s)", [since, until])
        return [row[0] for row in cursor.fetchall()]


def _run(statement: str, values: list[Any]) -> int:
    """How many rows it wrote."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        written: int = cursor.rowcount
    return written
