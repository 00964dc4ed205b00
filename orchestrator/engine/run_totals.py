"""Keep what each execution has cost, by closed transactions as the roll-ups do: a late line is added late, and never skipped."""

from uuid import UUID

from django.db import connection, transaction

from orchestrator.engine.rollups import CLOSED
from orchestrator.models import CostFold, RunTotal
from orchestrator.models.run_total import MEASURES

_KEY = "execution_id, unit_id, currency"
_ADD = f"""
INSERT INTO orchestrator_runtotal AS kept ({_KEY}, day, shared, cost, {", ".join(MEASURES)})
SELECT {_KEY}, max(day), bool_or(shared), sum(cost), {", ".join(f"sum({name})" for name in MEASURES)}
FROM orchestrator_runchange WHERE written_in >= %s::text::xid8 AND written_in < %s::text::xid8
GROUP BY {_KEY}
ON CONFLICT ({_KEY}) DO UPDATE SET cost = coalesce(kept.cost + excluded.cost, kept.cost, excluded.cost),
  {", ".join(f"{name} = kept.{name} + excluded.{name}" for name in MEASURES)}
RETURNING execution_id
"""
# The dearest are found by one total each, so what several units paid for is told apart.
_SHARE = """
UPDATE orchestrator_runtotal AS one SET shared = true FROM orchestrator_runtotal AS other
WHERE one.execution_id = ANY(%s) AND NOT one.shared AND other.execution_id = one.execution_id AND other.unit_id <> one.unit_id
"""


@transaction.atomic
def fold() -> int:
    """Add what was closed since the last time. Returns how many totals changed; 0 where another sweep is at it."""
    state = CostFold.objects.select_for_update(skip_locked=True).first()
    return _fold(state) if state else 0


@transaction.atomic
def rebuild() -> int:
    """Add up the whole ledger again. Readers see the old totals until this is done, and never half of the new."""
    state = CostFold.objects.select_for_update().get()
    RunTotal.objects.all().delete()
    state.totals_before = 0
    return _fold(state)


def _fold(state: CostFold) -> int:
    with connection.cursor() as cursor:
        cursor.execute(CLOSED)
        (until,) = cursor.fetchone()
        if until <= state.totals_before:
            return 0
        cursor.execute(_ADD, [state.totals_before, until])
        changed: list[tuple[UUID | None]] = cursor.fetchall()
        if not changed:
            return 0
        cursor.execute(_SHARE, [list({pk for (pk,) in changed if pk})])
    CostFold.objects.filter(pk=state.pk).update(totals_before=until)
    return len(changed)
