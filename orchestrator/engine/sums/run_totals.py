"""Keep what each execution has cost, by closed transactions as the roll-ups do: a late line is added late, and never skipped."""

from uuid import UUID

from django.db import connection

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


def fold(state: CostFold, until: int) -> int:
    """With `state` locked: the lines of transactions that have ended since the last time. How many totals changed."""
    if not state.totals_before or until <= state.totals_before:
        return 0
    return _add(state, until)


def rebuild(state: CostFold, until: int) -> int:
    """With `state` locked: the whole ledger again."""
    RunTotal.objects.all().delete()
    state.totals_before = 0
    return _add(state, until)


def _add(state: CostFold, until: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [state.totals_before, until])
        changed: list[tuple[UUID | None]] = cursor.fetchall()
        if changed:
            cursor.execute(_SHARE, [list({pk for (pk,) in changed if pk})])
    CostFold.objects.filter(pk=state.pk).update(totals_before=until)
    return len(changed)
