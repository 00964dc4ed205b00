"""What service levels are counted from: facts of each execution, and their sums by unit, day and line of the page."""

from orchestrator.engine.sums.followed import Followed
from orchestrator.models import LevelRollup, RunLevel
from orchestrator.models.level import SUMS

_KEY = "unit_id, day, by, line"
_ADD = f"""
INSERT INTO orchestrator_levelrollup AS kept ({_KEY}, {", ".join(SUMS)})
SELECT {_KEY}, {{sums}} FROM changed CROSS JOIN LATERAL orchestrator_levellines(changed.run) GROUP BY {_KEY}
ON CONFLICT ({_KEY}) DO UPDATE SET {", ".join(f"{name} = kept.{name} + excluded.{name}" for name in SUMS)}
"""
LEVELS = Followed(
    mark="levels_before",
    rows=RunLevel,
    sums=LevelRollup,
    facts="INSERT INTO orchestrator_runlevel AS run SELECT * FROM orchestrator_runlevels(%s)",
    added=_ADD.format(sums=", ".join(f"sum({name})" for name in SUMS)),
    taken_out=_ADD.format(sums=", ".join(f"-sum({name})" for name in SUMS)),
    returning="run",
)
