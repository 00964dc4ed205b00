"""Keep what service levels are counted from: whoever was touched is taken out of the sums as it was, and put in as it is."""

from uuid import UUID

from orchestrator.engine.touched import by_few, change, touched
from orchestrator.models import CostFold, Execution, LevelRollup, RunLevel
from orchestrator.models.level import SUMS

_KEY, _SUMS = "unit_id, day, by, line", ", ".join(SUMS)
_ADD = f"""
INSERT INTO orchestrator_levelrollup AS kept ({_KEY}, {_SUMS})
SELECT {_KEY}, {{sums}} FROM changed CROSS JOIN LATERAL orchestrator_levellines(changed.run) GROUP BY {_KEY}
ON CONFLICT ({_KEY}) DO UPDATE SET {", ".join(f"{name} = kept.{name} + excluded.{name}" for name in SUMS)}
"""
_TAKE_OUT = f"""
WITH changed AS (DELETE FROM orchestrator_runlevel AS run WHERE execution_id = ANY(%s) RETURNING run)
{_ADD.format(sums=", ".join(f"-sum({name})" for name in SUMS))}
"""
_FACTS = "INSERT INTO orchestrator_runlevel AS run SELECT * FROM orchestrator_runlevels(%s)"
_SUMMED = _ADD.format(sums=", ".join(f"sum({name})" for name in SUMS))
_PUT_IN = f"WITH changed AS ({_FACTS} RETURNING run) {_SUMMED}"
_SUM_UP = f"WITH changed AS (SELECT run FROM orchestrator_runlevel AS run) {_SUMMED}"


def fold(state: CostFold, until: int) -> int:
    """With `state` locked: those touched by transactions that have ended since the last time. How many sums changed."""
    if not state.levels_before or until <= state.levels_before:
        return 0
    ids = touched(state.levels_before, until)
    if not ids:
        return 0
    changed = sum(change(_TAKE_OUT, some) + change(_PUT_IN, some) for some in by_few(ids))
    CostFold.objects.filter(pk=state.pk).update(levels_before=until)
    return changed


def rebuild(state: CostFold, until: int) -> int:
    """With `state` locked: all of them anew."""
    RunLevel.objects.all().delete()
    LevelRollup.objects.all().delete()
    everyone: list[UUID] = list(Execution.objects.values_list("pk", flat=True))
    for some in by_few(everyone):
        change(_FACTS, some)
    changed = change(_SUM_UP)
    CostFold.objects.filter(pk=state.pk).update(levels_before=until)
    return changed
