"""Putting a frozen thing in front of people, and taking it back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from approvals.models import ApprovalRequest, NoticeKind, OnTimeout
from approvals.models.escalation import REMINDERS
from approvals.models.notice import Notice
from approvals.notifying import notices
from approvals.quorum import Need, open_at_first, people_of
from approvals.rules.deadlines import Clock, deadline
from approvals.rules.stopped import COVERS
from approvals.statuses import UNDECIDED, RequestStatus
from audit import lifecycle
from audit.actors import Actor
from audit.inserting import insert_of
from audit.lifecycle import Moves, move


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The frozen thing to decide on, as the composer describes it."""

    id: UUID
    unit_id: UUID
    unit_title: str
    title: str
    tool: str
    tool_version: str
    agent: str
    effect: str
    reversible: str
    snapshot: str
    digest: str
    revision: int
    tier: str
    requester: str
    requester_name: str
    execution_id: UUID | None = None
    replaces: UUID | None = None
    # Keys of people whose signature cannot count, each with the words for why ("own the agent clerk").
    duties: Mapping[str, str] = field(default_factory=dict)
    # What the proposer attached, and what the control plane found about the same thing: {label, source, value}.
    evidence: list[Any] = field(default_factory=list)
    found: list[Any] = field(default_factory=list)
    agent_says: str = ""
    # What a person has to give who does it by hand, as JSON Schema; None: they approve, and nothing is given.
    result_schema: Mapping[str, Any] | None = None
    is_test: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What people must give: how many signatures and whose, with which answers, by when, and why."""

    required: int
    policy_version: str
    reasons: tuple[str, ...]
    decide_within_seconds: int
    use_within_seconds: int
    on_timeout: str = OnTimeout.REJECT
    escalate_to: str = ""
    needs: tuple[Need, ...] = ()
    reason_codes: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    # A second factor of whoever decides; where two people sign it is asked for whatever stands here.
    step_up: bool = False
    # Where given, these stand in for `decide_within_seconds`: each counts the hours of its calendar, the earliest holds.
    clocks: tuple[Clock, ...] = ()


# The clock, when the first step on any ladder is due, in percent of the time to decide, and of each whether a stop covers it.
_CIRCUMSTANCES = f"""
SELECT clock_timestamp(),
  LEAST(%s, (SELECT min(after_percent) FROM approvals_escalationlevel WHERE status = 'active')),
  EXISTS (SELECT 1 FROM approvals_stop_reach AS s WHERE {COVERS.format(row="r")})
FROM unnest(%s::uuid[], %s::text[], %s::text[]) WITH ORDINALITY AS r (unit_id, agent, tool, n) ORDER BY n
"""


def open_request(*, subject: Subject, asked: Asked, by: Actor) -> ApprovalRequest:
    """Put a frozen subject in front of people. What is asked of them is frozen with it; who they are is not.

    Written in one statement with its event and the notice of it.
    """
    request = requests_of([(subject, asked)])[0]
    moves = Moves(stream=request.stream, unit_id=request.unit_id, by=by)
    moves.born(request, data=facts_of(request))
    moves.also(*insert_of(notice_of(request, by=by)))
    moves.execute()
    return request


def requests_of(asks: Sequence[tuple[Subject, Asked]]) -> list[ApprovalRequest]:
    """The requests of these, in order, for whoever writes them in a statement of their own: each with the event of its birth,
    which holds `facts_of` it, and with `notice_of` it."""
    subjects = [subject for subject, _ in asks]
    places = [[one.unit_id for one in subjects], [one.agent for one in subjects], [one.tool for one in subjects]]
    rows = lifecycle.run(_CIRCUMSTANCES, [REMINDERS[0], *places])
    return [
        _request(subject, asked, now, first_step, is_stopped=is_stopped)
        for (subject, asked), (now, first_step, is_stopped) in zip(asks, rows, strict=True)
    ]


def facts_of(request: ApprovalRequest) -> dict[str, Any]:
    """What the trail says of its birth."""
    facts = {"digest": request.digest, "required": request.required, "subject": str(request.subject_id)}
    return {**facts, "needs": request.needs} if request.needs else facts


def notice_of(request: ApprovalRequest, *, by: Actor) -> Notice:
    """It waits."""
    return notices.of_request(NoticeKind.WAITING, request, by=by)


def _request(subject: Subject, asked: Asked, now: datetime, first_step: int, *, is_stopped: bool) -> ApprovalRequest:
    due = deadline(now, asked.clocks or (Clock(asked.decide_within_seconds),))
    columns = {name: getattr(subject, name) for name in subject.__slots__ if name not in {"id", "duties"}}
    required = people_of(asked.required, asked.needs)
    request = ApprovalRequest(
        subject_id=subject.id,
        required=required,
        needs=[need.to_json() for need in asked.needs],
        open_to=open_at_first(required, asked.needs),
        reason_codes=list(asked.reason_codes),
        checks=list(asked.checks),
        step_up=asked.step_up,
        policy_version=asked.policy_version,
        reasons=list(asked.reasons),
        on_timeout=asked.on_timeout,
        escalate_to=asked.escalate_to,
        created_at=now,
        decide_by=due.at,
        calendar=due.counted_in,
        calendar_id=due.calendar.pk if due.calendar else None,
        open_seconds=due.seconds if due.calendar else None,
        use_within_seconds=asked.use_within_seconds,
        excluded=list(subject.duties),
        duties=dict(subject.duties),
        frozen_at=now if is_stopped else None,
        **columns,
    )
    request.next_notice_at = request.after(first_step)
    return request


@transaction.atomic
def withdraw(*, subject_id: UUID, by: Actor, why: str) -> None:
    """The asker takes it back, or the thing asked about is cancelled. Nothing to do when it is already decided."""
    _end_live(subject_id, RequestStatus.WITHDRAWN, by=by, why=why)


@transaction.atomic
def void(*, subject_id: UUID, by: Actor, why: str) -> None:
    """What was approved no longer exists in that form: the signatures open nothing."""
    _end_live(subject_id, RequestStatus.VOID, by=by, why=why)


def _end_live(subject_id: UUID, to: str, *, by: Actor, why: str) -> None:
    live = (
        ApprovalRequest.objects.select_for_update()
        .filter(subject_id=subject_id, status__in=[*UNDECIDED, RequestStatus.APPROVED])
        .first()
    )
    if live is not None:
        move(live, to=to, by=by, why=why, resolved_at=Now())
