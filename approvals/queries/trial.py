"""Try a policy on what has happened: what it would have held, what it would cost reviewers, how often they would be late.

Each past action is judged twice by today's tools, tiers and policies: as they are, and with the draft in place of the version in
force. So what differs comes from the draft alone. Reads only. Whoever owns the actions registers how to find them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any
from uuid import UUID

from django.db.models import Q

from approvals import quorum
from approvals.models import ApprovalPolicy, BusinessCalendar, Decision
from approvals.quorum import Need, seats_of
from approvals.rules import groups
from approvals.rules.deadlines import Clock, deadline_in
from approvals.rules.policies import Requirement, match
from audit import scope
from audit.actors import Actor
from budgets.units import below, lineages

ASSUMED_SECONDS = 300
MEASURED_OVER = 500
HOUR, WEEK = 3600, 7 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class PastAction:
    """One action as policies see it, and what it was to people."""

    id: UUID
    at: datetime
    title: str
    url: str
    tool: str
    tier: str
    unit_id: UUID
    facts: Mapping[str, Any]


# (who asks, tool name or "*", units, how many) -> the newest of those the asker may see, newest first
_Past = Callable[[Actor, str, Iterable[UUID], int], list[PastAction]]
_registered: list[_Past] = []


def answer_with(past: _Past) -> None:
    _registered[:] = [past]


@dataclass(frozen=True, slots=True)
class Changed:
    """An action that the draft judges otherwise."""

    action: PastAction
    before: Requirement
    after: Requirement
    says_before: str
    says_after: str

    @property
    def asks_more(self) -> bool:
        return _asks_more(self.after, than=self.before)

    @property
    def asks_less(self) -> bool:
        return _asks_more(self.before, than=self.after)

    @property
    def is_newly_held(self) -> bool:
        return not self.before.required and bool(self.after.required) and not self.after.denied

    @property
    def added_signatures(self) -> int:
        return _signatures(self.after) - _signatures(self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a draft would have meant for the last actions."""

    tried: int
    since: datetime | None
    until: datetime | None
    changed: list[Changed]
    seconds_per_signature: int
    measured: int
    decided: int
    late: int

    @property
    def stricter(self) -> list[Changed]:
        return [one for one in self.changed if one.asks_more and not one.asks_less]

    @property
    def looser(self) -> list[Changed]:
        return [one for one in self.changed if one.asks_less and not one.asks_more]

    @property
    def others(self) -> list[Changed]:
        """Neither: what is asked today is no longer asked, and something else is."""
        return [one for one in self.changed if one.asks_less and one.asks_more]

    @property
    def newly_held(self) -> int:
        return sum(one.is_newly_held for one in self.changed)

    @property
    def added_signatures(self) -> int:
        return sum(one.added_signatures for one in self.changed)

    @property
    def fewer_signatures(self) -> int:
        return -self.added_signatures

    @property
    def added_hours(self) -> float:
        return self.added_signatures * self.seconds_per_signature / HOUR

    @property
    def added_hours_a_week(self) -> float | None:
        """None where the actions cover less than a day: a rate would be made up."""
        if self.since is None or self.until is None or (self.until - self.since).total_seconds() < WEEK / 7:
            return None
        return self.added_hours * WEEK / (self.until - self.since).total_seconds()

    @property
    def late_share(self) -> float | None:
        return 100 * self.late / self.decided if self.decided else None

    @property
    def expected_breaches(self) -> float | None:
        return self.newly_held * self.late / self.decided if self.decided else None


def try_policy(draft: ApprovalPolicy, *, by: Actor, last: int) -> Trial:
    """Judge the newest actions that the draft could concern and the asker may see."""
    units = scope.unit_ids(by, "view")
    covered = units & below(draft.unit_id) if draft.unit_id else units
    past = _registered[0](by, draft.tool, covered, last) if _registered else []
    decided = _decisions(draft.tool, units)
    reading = [seconds for voice in decided if (seconds := _reading_seconds(voice))]
    return Trial(
        tried=len(past),
        since=past[-1].at if past else None,
        until=past[0].at if past else None,
        changed=_changed(draft, past),
        seconds_per_signature=round(median(reading)) if reading else ASSUMED_SECONDS,
        measured=len(reading),
        decided=len(decided),
        late=_late(draft, decided),
    )


def _changed(draft: ApprovalPolicy, past: list[PastAction]) -> list[Changed]:
    above = lineages({action.unit_id for action in past})
    active = list(ApprovalPolicy.objects.active())
    with_draft = [policy for policy in active if policy.name != draft.name] + [draft]
    titles = _titles([*active, draft])
    found = []
    for action in past:
        before, after = (_judge(action, policies, above[action.unit_id]) for policies in (active, with_draft))
        if (before.denied, before.required, before.needs, before.checks, _asks_step_up(before)) != (
            after.denied, after.required, after.needs, after.checks, _asks_step_up(after),
        ):  # fmt: skip
            found.append(Changed(action, before, after, _words(before, titles), _words(after, titles)))
    return found


def _judge(action: PastAction, policies: list[ApprovalPolicy], units: list[UUID]) -> Requirement:
    concerned = [
        policy
        for policy in policies
        if policy.tool in {action.tool, "*"} and (policy.unit_id is None or policy.unit_id in units)
    ]
    return match(tier=action.tier, facts=action.facts, policies=concerned)


def _titles(policies: Iterable[ApprovalPolicy]) -> dict[str, str]:
    return groups.in_force(
        {name for policy in policies for need in Need.read(policy.needs) for name in need.groups}
    ).titles


def _words(requirement: Requirement, titles: Mapping[str, str]) -> str:
    if requirement.denied:
        return "denied"
    if not requirement.required:
        return "nobody is asked"
    people = quorum.words(seats_of(requirement.required, requirement.needs), {}, titles)
    checks = len(requirement.checks)
    told = [people, f"{checks} check{'s' if checks > 1 else ''}" if checks else ""]
    # Where two sign it goes without saying.
    told.append("second factor" if requirement.step_up and requirement.required == 1 else "")
    return ", ".join(filter(None, told))


def _asks_more(one: Requirement, *, than: Requirement) -> bool:
    if one.denied or than.denied:
        return one.denied and not than.denied
    return one.asks_more_than(required=than.required, needs=than.needs, checks=than.checks, step_up=_asks_step_up(than))


def _asks_step_up(requirement: Requirement) -> bool:
    return requirement.step_up or requirement.required > 1


def _signatures(requirement: Requirement) -> int:
    return 0 if requirement.denied else requirement.required


def _decisions(tool: str, units: Iterable[UUID]) -> list[Decision]:
    """The newest decisions about this tool; where there are none, about any."""
    rows = (
        Decision.objects.filter(request__unit_id__in=units, request__is_test=False)
        .select_related("request")
        .order_by("-at")
    )
    own = list(rows.filter(Q(request__tool=tool) if tool != "*" else Q())[:MEASURED_OVER])
    return own or list(rows[:MEASURED_OVER])


def _reading_seconds(voice: Decision) -> float:
    reading = voice.viewed.get("reading")
    parts = reading.values() if isinstance(reading, dict) else []
    said = [part.get("ms") for part in parts if isinstance(part, dict)]
    return sum(ms for ms in said if isinstance(ms, (int, float))) / 1000


def _late(draft: ApprovalPolicy, decided: Iterable[Decision]) -> int:
    """How many of these came later than the draft's time to decide would have allowed; a stop is nobody's delay."""
    clock = Clock(draft.decide_within_seconds, draft.calendar)
    calendar = BusinessCalendar.objects.active().filter(name=draft.calendar).first()
    began = ((voice, voice.request.created_at + voice.request.stood) for voice in decided)
    return sum(voice.at > deadline_in(at, clock, calendar).at for voice, at in began)
