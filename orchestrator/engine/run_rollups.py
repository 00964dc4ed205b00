"""Keep what executions cost by outcome: whoever was touched is taken out of the sums as it was, and put in as it is.

What it put in is kept per execution, so nothing needs to know what exactly has changed: a late line, a correction, an end, a
redrive, a repeated try.
"""

from orchestrator.engine.touched import by_few, change, touched
from orchestrator.models import CostFold, Execution, OutcomeRollup, RunCost

_KEY = "unit_id, day, workflow, bucket, currency"
_ADD = f"""
INSERT INTO orchestrator_outcomerollup AS kept ({_KEY}, executions, amount, unknown)
SELECT {_KEY}, {{sign}} sum(executions), {{sign}} sum(amount), {{sign}} sum(unknown) FROM changed GROUP BY {_KEY}
ON CONFLICT ({_KEY}) DO UPDATE SET executions = kept.executions + excluded.executions,
  amount = kept.amount + excluded.amount, unknown = kept.unknown + excluded.unknown
"""
_TAKE_OUT = f"""
WITH changed AS (DELETE FROM orchestrator_runcost WHERE execution_id = ANY(%s) RETURNING *) {_ADD.format(sign="-")}
"""
_FACTS = f"""
INSERT INTO orchestrator_runcost (execution_id, {_KEY}, executions, amount, unknown)
SELECT execution_id, {_KEY}, executions, amount, unknown FROM orchestrator_runcosts(%s)
"""
_PUT_IN = f"WITH changed AS ({_FACTS} RETURNING *) {_ADD.format(sign='')}"
_SUM_UP = f"WITH changed AS (SELECT * FROM orchestrator_runcost) {_ADD.format(sign='')}"


def fold(state: CostFold, until: int) -> int:
    """With `state` locked: those touched by transactions that have ended since the last time. How many buckets changed."""
    if not state.runs_before or until <= state.runs_before:
        return 0
    ids = touched(state.runs_before, until)
    if not ids:
        return 0
    changed = sum(change(_TAKE_OUT, some) + change(_PUT_IN, some) for some in by_few(ids))
    CostFold.objects.filter(pk=state.pk).update(runs_before=until)
    return changed


def rebuild(state: CostFold, until: int) -> int:
    """With `state` locked: all of them anew."""
    RunCost.objects.all().delete()
    OutcomeRollup.objects.all().delete()
    for some in by_few(list(Execution.objects.values_list("pk", flat=True))):
        change(_FACTS, some)
    changed = change(_SUM_UP)
    CostFold.objects.filter(pk=state.pk).update(runs_before=until)
    return changed
