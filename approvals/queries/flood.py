"""One noisy agent cannot bury the rest: what it has beyond its share is folded into one row per tool. Counts hide nothing."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, Q, QuerySet
from django.db.models.expressions import RawSQL

from approvals.models import ApprovalRequest
from approvals.models.request import ApprovalRequestQuerySet

# So many groups get a row of their own; the others share one line that counts them.
GROUPS_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class Group:
    """What one agent asks of one tool beyond the requests that are shown one by one."""

    agent: str
    tool: str
    count: int


@dataclass(frozen=True, slots=True)
class Flood:
    """A list divided: agents that have too much of it, how many requests are folded, and the largest groups of them."""

    total: int
    noisy: list[str]
    folded: int
    groups: list[Group]

    def shown(self, rows: ApprovalRequestQuerySet) -> ApprovalRequestQuerySet:
        """The rows that are shown one by one."""
        if not self.noisy:
            return rows
        text, params = _kept(rows, self.noisy, "id")
        return rows.filter(~Q(agent__in=self.noisy) | Q(pk__in=RawSQL(text, params)))

    @property
    def rest(self) -> int:
        """How many folded requests are in no group that has a row."""
        return self.folded - sum(group.count for group in self.groups)


def fold(rows: QuerySet[ApprovalRequest]) -> Flood:
    """Divide a list: of each agent, the requests due first are shown, as many as the setting QUEUE_SHOWN_PER_AGENT says.

    What people ask for themselves, without an agent, is never folded.
    """
    share = settings.QUEUE_SHOWN_PER_AGENT
    by_agent = dict(rows.order_by().values_list("agent").annotate(number=Count("*")))
    loud = sorted((-number, agent) for agent, number in by_agent.items() if agent and number > share)
    noisy = [agent for _, agent in loud]
    folded = sum(-number - share for number, _ in loud)
    return Flood(sum(by_agent.values()), noisy, folded, _largest(rows, noisy[:GROUPS_AT_MOST]))


def _largest(rows: QuerySet[ApprovalRequest], loudest: list[str]) -> list[Group]:
    """The largest groups of the loudest agents. (Of all agents it would cost more than the rest of the page.)"""
    if not loudest:
        return []
    counts = rows.filter(agent__in=loudest).order_by().values_list("agent", "tool").annotate(number=Count("*"))
    shown = _shown(rows, loudest)
    groups = [Group(agent, tool, number - shown[agent, tool]) for agent, tool, number in counts]
    groups.sort(key=lambda group: (-group.count, group.agent, group.tool))
    return [group for group in groups[:GROUPS_AT_MOST] if group.count]


def _shown(rows: QuerySet[ApprovalRequest], noisy: list[str]) -> Counter[tuple[str, str]]:
    """How many requests of each noisy agent and tool are shown."""
    text, params = _kept(rows, noisy, "agent, tool")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT agent, tool, count(*) FROM ({text}) AS kept GROUP BY agent, tool", params)
        return Counter({(agent, tool): number for agent, tool, number in cursor.fetchall()})


def _kept(rows: QuerySet[ApprovalRequest], noisy: list[str], columns: str) -> tuple[str, tuple[Any, ...]]:
    """SQL of each noisy agent's first requests in this list: for every agent the beginning of an index, nothing more."""
    first = rows.filter(agent=RawSQL("noisy.name", ())).order_by("decide_by", "-required", "id")
    text, params = first.values("id", "agent", "tool")[: settings.QUEUE_SHOWN_PER_AGENT].query.sql_with_params()
    wanted = ", ".join(f"kept.{column.strip()}" for column in columns.split(","))
    return (
        f"SELECT {wanted} FROM unnest(%s::text[]) AS noisy(name) CROSS JOIN LATERAL ({text}) AS kept",
        (noisy, *params),
    )
