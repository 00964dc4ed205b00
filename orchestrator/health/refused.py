"""What agents were refused in a range of time, by what kind of no it was. Definitions: docs/kpis.md.

Calls count on the day they were proposed, in an execution or outside of any; requests are of the unit whose token asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.health.level_rows import Span, rows_of
from orchestrator.models.action import Denial

# Requests that named what is another's, and were told that it is not there.
REQUESTS, UNTOLD = "requests", "untold"
KINDS: Mapping[str, str] = {
    **{kind.value: str(kind.label) for kind in (Denial.POLICY, Denial.TOOL, Denial.BOUNDARY)},
    REQUESTS: "Requests across the boundary",
    Denial.ARGUMENTS.value: str(Denial.ARGUMENTS.label),
    UNTOLD: "Denied before kinds were kept",
}

_REFUSED = f"""
WITH refused AS (
  SELECT CASE WHEN denial = '' THEN '{UNTOLD}' WHEN denial = '{Denial.BOUNDARY}' AND NOT %(apart)s THEN '{Denial.TOOL}'
    ELSE denial END AS kind, agent AS who FROM orchestrator_action
  WHERE status = 'denied' AND unit_id = ANY (%(units)s) AND created_at >= %(since)s AND created_at < %(until)s
  UNION ALL SELECT '{REQUESTS}', actor_name FROM audit_auditevent
  WHERE event = 'request.refused' AND unit_id = ANY (%(units)s) AND at >= %(since)s AND at < %(until)s
    AND why IN ('outside_unit', 'other_agent')
), counted AS (
  SELECT kind, who, count(*) AS times FROM refused GROUP BY kind, who
)
SELECT kind, sum(times)::bigint AS count, (array_agg(who ORDER BY times DESC, who))[1] AS most_by, max(times) AS most
FROM counted GROUP BY kind
"""


@dataclass(frozen=True, slots=True)
class Refused:
    """How many of one kind, and whose most of them are."""

    kind: str
    count: int = 0
    most_by: str = ""
    most: int = 0

    @property
    def title(self) -> str:
        return KINDS[self.kind]


def refused(span: Span, *, to_a_machine: bool = False) -> list[Refused]:
    """One of each kind, whether there was any or not; the last only where there are such.

    A machine is answered the same about another unit's agents as about nobody's, so it finds both in one count.
    """
    found = {row["kind"]: Refused(**row) for row in rows_of(_REFUSED, {**span.values, "apart": not to_a_machine})}
    kinds = [kind for kind in KINDS if kind != UNTOLD and not (to_a_machine and kind == Denial.BOUNDARY)]
    return [found.get(kind, Refused(kind)) for kind in kinds] + [found[kind] for kind in (UNTOLD,) if kind in found]
