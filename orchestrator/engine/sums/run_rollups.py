"""What executions cost by outcome: what each put in, and the sums by unit, day, workflow, bucket and currency."""

from orchestrator.engine.sums.followed import Followed
from orchestrator.models import OutcomeRollup, RunCost

_KEY = "unit_id, day, workflow, bucket, currency"
_ADD = f"""
INSERT INTO orchestrator_outcomerollup AS kept ({_KEY}, executions, amount, unknown)
SELECT {_KEY}, {{sign}} sum(executions), {{sign}} sum(amount), {{sign}} sum(unknown) FROM changed GROUP BY {_KEY}
ON CONFLICT ({_KEY}) DO UPDATE SET executions = kept.executions + excluded.executions,
  amount = kept.amount + excluded.amount, unknown = kept.unknown + excluded.unknown
"""
COSTS = Followed(
    mark="runs_before",
    rows=RunCost,
    sums=OutcomeRollup,
    facts=f"""
INSERT INTO orchestrator_runcost AS run (execution_id, {_KEY}, executions, amount, unknown)
SELECT execution_id, {_KEY}, executions, amount, unknown FROM orchestrator_runcosts(%s)
""",
    added=_ADD.format(sign=""),
    taken_out=_ADD.format(sign="-"),
    returning="run.*",
)
