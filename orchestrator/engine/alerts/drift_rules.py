"""Rules of alerts about what fails in silence: a release that does otherwise than it did, a flow that dried up.

Beside orchestrator.engine.alerts.rules, and like them: each states what is so now.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse

from audit.definitions import DefinitionStatus
from audit.lifecycle import database_now
from orchestrator.engine.alerts.rules import Registered, Seen
from orchestrator.engine.released import Released, released
from orchestrator.health import drift
from orchestrator.health.drift import Amounts, Flow, Of, Shares
from orchestrator.health.shifts import Ranks, fell, is_enough, is_quiet, rose, shifted
from orchestrator.models import Agent, Release, Severity
from orchestrator.workflows.spec import StepSpec

# A step "always" calls a tool that it called in so many of its successes.
ALWAYS = 0.95
# So many at once have one cause: one alert says so.
MANY = 5
_FIGURES = {
    "success": ("Success fell", "{:.1%} of {} succeeded in the last 24 hours, {:.1%} of {} in the week before"),
    "overrides": (
        "People overrule more often",
        "people refused or changed {:.1%} of {} in the last 24 hours, {:.1%} of {} in the week before",
    ),
    "empty": (
        "Succeeds with an empty output",
        "{:.1%} of {} successes said nothing in the last 24 hours, {:.1%} of {} in the week before",
    ),
    "calls": (
        "Does not call {tool} any more",
        "{:.1%} of {} successes called it in the last 24 hours, {:.1%} of {} in the week before",
    ),
}


def shifted_releases() -> list[Seen]:
    """Success, overrides, duration, and cost or else tokens of a release, against its own week before."""
    shares, amounts = drift.releases()
    found = [one for one in shares if (fell if one.figure == "success" else rose)(one.before, one.now)]
    moved = [one for one in amounts if shifted(one.ranks)]
    dearer = {one.of for one in moved if one.figure == "cost"}
    # What uses more tokens costs more: that is one thing to look at.
    told = [one for one in moved if one.figure != "tokens" or one.of not in dearer]
    releases = _releases([*(one.of for one in found), *(one.of for one in told)])
    now = database_now()
    seen = [_of_share(one, releases, now) for one in found]
    return _together([*seen, *(_of_amount(one, releases, now) for one in told)])


def silent_steps() -> list[Seen]:
    """Steps that succeed and say nothing, and agents' steps that leave out a tool they always called."""
    found = [one for one in drift.steps() if (rose(one.before, one.now) if one.figure == "empty" else _left_out(one))]
    # An empty output empties those that follow: the first one is where to look.
    first = {(one.of, one.position) for one in _firsts(found)}
    told = [one for one in found if one.figure == "calls" or (one.of, one.position) in first]
    releases, now = _releases([one.of for one in told]), database_now()
    return _together([_of_share(one, releases, now) for one in told])


def dried_up() -> list[Seen]:
    """Workflows nobody asks for any more, and foreign agents that went quiet; those out of service may."""
    found = [one for one in drift.flows() if is_quiet(one.gaps, one.longest, one.silence)]
    names = {one.name for one in found if one.kind == "agent"}
    agents = {row.name: row for row in Agent.objects.filter(name__in=names, status=DefinitionStatus.ACTIVE)}
    return _together(
        [_of_flow(one, agents.get(one.name)) for one in found if one.kind == "workflow" or one.name in agents]
    )


# By the name an alert keeps of the rule that saw it.
DRIFT_RULES: dict[str, Callable[[], list[Seen]]] = {
    "shifted_releases": shifted_releases,
    "silent_steps": silent_steps,
    "dried_up": dried_up,
}


def _left_out(one: Shares) -> bool:
    return is_enough(one.before.of, one.now.of) and one.before.rate >= ALWAYS and fell(one.before, one.now)


def _firsts(found: Iterable[Shares]) -> Iterable[Shares]:
    first: dict[Of, Shares] = {}
    for one in found:
        if one.figure == "empty" and (one.of not in first or one.position < first[one.of].position):
            first[one.of] = one
    return first.values()


def _releases(of: Iterable[Of]) -> dict[UUID, Release]:
    rows: dict[UUID, Release] = Release.objects.defer("bundle").in_bulk({one.release_id for one in of})
    return rows


def _of_share(one: Shares, releases: dict[UUID, Release], now: datetime) -> Seen:
    title, words = _FIGURES[one.figure]
    detail = words.format(one.now.rate, one.now.of, one.before.rate, one.before.of)
    return _seen(
        one.of, releases=releases, figure=one.figure, title=title.format(tool=one.tool), detail=detail, count=one.now.of,
        now=now, step=one.step, tool=one.tool,
    )  # fmt: skip


def _of_amount(one: Amounts, releases: dict[UUID, Release], now: datetime) -> Seen:
    ranks: Ranks = one.ranks
    unit = {"duration": "s of work", "tokens": "tokens"}.get(one.figure, one.currency)
    title = f"{one.figure.capitalize()} {'rose' if ranks.median_now > ranks.median_before else 'fell'}"
    detail = (
        f"half of {ranks.now} took less than {ranks.median_now:.4g} {unit} in the last 24 hours, "
        f"half of {ranks.before} less than {ranks.median_before:.4g} in the week before"
    )
    return _seen(one.of, releases=releases, figure=one.figure, title=title, detail=detail, count=ranks.now, now=now)


def _seen(
    of: Of, *, releases: dict[UUID, Release], figure: str, title: str, detail: str, count: int, now: datetime,
    step: str = "", tool: str = "",
) -> Seen:  # fmt: skip
    called = " / ".join(part for part in (str(releases[of.release_id]), step) if part)
    return Seen(
        kind=f"drift_{figure}", subject=" / ".join(part for part in (called, tool) if part), unit_id=of.unit_id,
        title=f"{title}: {called}", severity=Severity.WARNING, detail=f"Of {called}: {detail}.", count=count,
        first_at=now, last_at=now, looks_up=partial(_owner_of, of.release_id, step),
        evidence=f"{reverse('executions')}?{urlencode({'workflow': of.workflow, 'unit': of.unit_id})}",
    )  # fmt: skip


def _of_flow(one: Flow, agent: Agent | None) -> Seen:
    whose = Registered(agent.owner.get_username(), agent.runbook) if agent else Registered()
    words = "Nobody asks for the workflow" if one.kind == "workflow" else "The agent went quiet"
    page = reverse("executions") if one.kind == "workflow" else reverse("actions")
    return Seen(
        kind=f"quiet_{one.kind}", subject=one.name, unit_id=one.unit_id, title=f"{words}: {one.name}",
        severity=Severity.WARNING, count=1, first_at=one.last_at, last_at=one.last_at,
        # Nothing that grows with the silence: an alert is written only when something changes.
        detail=f"Nothing since {one.last_at:%Y-%m-%d %H:%M} UTC. In the four weeks before, the longest of {one.gaps} long gaps "
        f"was {_spelled(one.longest)}.",
        evidence=f"{page}?{urlencode({one.kind: one.name, 'unit': one.unit_id})}", looks_up=lambda: whose,
    )  # fmt: skip


def _spelled(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"


def _owner_of(release_id: UUID, step: str) -> Registered:
    """As the release has it: of the step's tool or agent; of a release as a whole, of its only agent, if it has one."""
    contracts = released(release_id)
    spec = next((one for one in contracts.spec.steps if one.key == step), None)
    contract = _contract_of(contracts, spec) if spec else next(iter(contracts.agents.values()), {})
    if spec is None and len(contracts.agents) != 1:
        contract = {}
    return Registered(contract.get("owner") or "", contract.get("runbook") or "")


def _contract_of(contracts: Released, spec: StepSpec) -> dict[str, str]:
    return contracts.tools.get(spec.tool or "") or contracts.agents.get(spec.agent or "") or {}


def _together(seen: list[Seen]) -> list[Seen]:
    """No storm: where many of a unit shift in the same way at once, one alert names the first of them."""
    groups: dict[tuple[str, UUID], list[Seen]] = {}
    for one in sorted(seen, key=lambda one: one.subject):
        groups.setdefault((one.kind, one.unit_id), []).append(one)
    return [one for group in groups.values() for one in (group if len(group) <= MANY else [_as_one(group)])]


def _as_one(group: list[Seen]) -> Seen:
    first = group[0]
    what = first.title.partition(":")[0]
    named = ", ".join(one.subject for one in group[:MANY])
    return Seen(
        kind=first.kind, subject="", unit_id=first.unit_id, title=f"{what}, and {len(group) - 1} more like it",
        severity=Severity.WARNING, detail=f"Many at once have one cause. Among them: {named}.", count=len(group),
        first_at=min(one.first_at for one in group), last_at=max(one.last_at for one in group), looks_up=Registered,
        evidence=f"{reverse('levels')}?{urlencode({'unit': first.unit_id})}",
    )  # fmt: skip
