"""One noisy agent cannot bury the rest: what it has beyond its share is folded into one row per tool. Counts hide nothing."""

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Q, QuerySet

from approvals.models import ApprovalRequest


@dataclass(frozen=True, slots=True)
class Group:
    """What one agent asks of one tool beyond the requests that are shown one by one."""

    agent: str
    tool: str
    count: int


@dataclass(frozen=True, slots=True)
class Flood:
    """A list divided: agents that have too much of it, their requests that are still shown, and groups for the others."""

    total: int
    noisy: list[str]
    kept: list[UUID]
    groups: list[Group]

    def shown(self, rows: QuerySet[ApprovalRequest]) -> QuerySet[ApprovalRequest]:
        """The rows that are shown one by one."""
        return rows.filter(~Q(agent__in=self.noisy) | Q(pk__in=self.kept)) if self.noisy else rows


def fold(rows: QuerySet[ApprovalRequest]) -> Flood:
    """Divide a list: of each agent, the requests due first are shown, as many as the setting QUEUE_SHOWN_PER_AGENT says.

    What people ask for themselves, without an agent, is never folded.
    """
    counts = {
        (agent, tool): number
        for agent, tool, number in rows.order_by().values_list("agent", "tool").annotate(Count("pk"))
    }
    by_agent: Counter[str] = Counter()
    for (agent, _), number in counts.items():
        by_agent[agent] += number
    noisy = sorted(agent for agent, number in by_agent.items() if agent and number > settings.QUEUE_SHOWN_PER_AGENT)
    kept = _due_first(rows, noisy)
    shown = Counter((agent, tool) for _, agent, tool in kept)
    groups = [
        Group(agent, tool, number - shown[agent, tool])
        for (agent, tool), number in sorted(counts.items())
        if agent in noisy and number > shown[agent, tool]
    ]
    return Flood(by_agent.total(), noisy, [pk for pk, _, _ in kept], groups)


def _due_first(rows: QuerySet[ApprovalRequest], agents: list[str]) -> list[tuple[UUID, str, str]]:
    """Id, agent and tool of each agent's first requests: one statement, each part of it the beginning of an index."""
    parts = [
        rows.filter(agent=agent)
        .order_by("decide_by", "-required", "id")
        .values_list("pk", "agent", "tool")[: settings.QUEUE_SHOWN_PER_AGENT]
        for agent in agents
    ]
    return list(parts[0].union(*parts[1:], all=True)) if parts else []
