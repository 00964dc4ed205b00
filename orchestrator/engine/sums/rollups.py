"""Fold the ledger into roll-ups, by closed transactions: a line that commits late is folded late, and never skipped."""

from django.db import connection, transaction
from django.db.models.functions import Now

from orchestrator.engine.sums import moved, run_totals
from orchestrator.engine.sums.level_rollups import LEVELS
from orchestrator.engine.sums.run_rollups import COSTS
from orchestrator.models import CostFold, CostRollup
from orchestrator.models.cost import KEPT, MEASURES

KEY = ("day", "unit_id", *KEPT)
_KEYS, _SUMS = ", ".join(KEY), ", ".join(f"sum({name})" for name in MEASURES)
FOLD = f"""
INSERT INTO orchestrator_costrollup AS kept (key, {_KEYS}, {", ".join(MEASURES)})
SELECT encode(sha256(convert_to(jsonb_build_array({_KEYS})::text, 'UTF8')), 'hex'), {_KEYS}, {_SUMS}
FROM orchestrator_costchange WHERE written_in >= %s::text::xid8 AND written_in < %s::text::xid8
GROUP BY {_KEYS}
ON CONFLICT (key) DO UPDATE SET {", ".join(f"{name} = kept.{name} + excluded.{name}" for name in MEASURES)}
"""
# Every transaction before this one has ended, and what it wrote is seen by every statement that follows; and on which server.
CLOSED = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, (SELECT system_identifier FROM pg_control_system())::text
"""


@transaction.atomic
def fold() -> int:
    """Fold what was closed since the last time. Returns how many sums changed; 0 where another sweep is at it."""
    state = CostFold.objects.select_for_update(skip_locked=True).first()
    if state is None:
        return 0
    until, server = _closed()
    moved.settle_in(state, server, until)
    of_executions = (run_totals.fold, COSTS.fold, LEVELS.fold)
    return _fold(state, until) + sum(keep(state, until) for keep in of_executions)


@transaction.atomic
def rebuild() -> int:
    """Fold the whole ledger again. Readers see the old roll-ups until this is done, and never half of the new.

    Raises NotTheOwner: the database was read in from elsewhere, and only the owner of its tables may adopt its rows.
    """
    state = CostFold.objects.select_for_update().get()
    until, server = _closed()
    moved.settle_in(state, server, until)
    moved.adopt()
    CostRollup.objects.all().delete()
    state.before = 0
    of_executions = (run_totals.rebuild, COSTS.rebuild, LEVELS.rebuild)
    return _fold(state, until) + sum(make(state, until) for make in of_executions)


def _closed() -> tuple[int, str]:
    with connection.cursor() as cursor:
        cursor.execute(CLOSED)
        found: tuple[int, str] = cursor.fetchone()
    return found


def _fold(state: CostFold, until: int) -> int:
    """Up to the oldest transaction that is still open: its lines, whatever their ids and times, come next time."""
    if until <= state.before:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(FOLD, [state.before, until])
        changed: int = cursor.rowcount
    if changed:
        CostFold.objects.filter(pk=state.pk).update(before=until, at=Now())
    return changed
