"""One tool call of one of our own steps, through the gate: propose, wait, redeem, carry out, report; look up before retry.

Everything is answered from the record where there is a record, so a re-entered step repeats nothing.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from approvals.models import Decision, Verdict
from approvals.rules.stopped import Stopped
from audit import failpoints
from audit.canonical import canonical, digest
from audit.conditions import compile_expression
from budgets import operations as budgets
from budgets.reserving import OverBudget
from orchestrator.engine import caps, probes
from orchestrator.engine.budgeting import reserve_for
from orchestrator.engine.claims import ENGINE
from orchestrator.engine.doubts import Unknown, settle_doubt, wait_for_a_person
from orchestrator.engine.outputs import problem_with_call
from orchestrator.engine.patched import asked_anew
from orchestrator.engine.retries import Failure
from orchestrator.engine.runners.pool import Done, Outcome
from orchestrator.engine.runners.pool import Failure as Failed
from orchestrator.engine.runners.workshop import failure_class_of, run_tool
from orchestrator.engine.segment import Segment
from orchestrator.engine.usages import usages_of
from orchestrator.gate import reconcile
from orchestrator.gate.budgeting import place_of
from orchestrator.gate.judge import WORKFLOW, facts_of, judge
from orchestrator.gate.keys import Place
from orchestrator.gate.limits import Limited
from orchestrator.gate.locks import lock_execution
from orchestrator.gate.propose import propose
from orchestrator.gate.redeem import Ticket, Void, redeem, void_granted
from orchestrator.gate.report import Outcome as Reported
from orchestrator.gate.report import report
from orchestrator.models import Action
from orchestrator.models.action import CAME_TO_NOTHING, ENDED_UNUSED
from orchestrator.statuses import ActionStatus
from orchestrator.workflows.binding import scope_of

# An approval can be void as often as the world changes, but one attempt does not chase it for ever.
MAX_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Returned:
    """The call was carried out, now or before, with this result."""

    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """No: by policy, by a person, by time, or by the tool itself. The handler may react to it; nothing is retried."""

    kind: str
    message: str
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Held:
    """People have to decide first."""

    action: Action


@dataclass(frozen=True, slots=True)
class Halted:
    """A person has stopped this: it waits until they let it go on."""

    why: str


CallOutcome = Returned | Refused | Held | Halted | Unknown | Failure | Limited | OverBudget


def call(segment: Segment, *, tool: str, arguments: dict[str, Any], occurrence: int) -> CallOutcome:
    """Bring the call at this place of the step to an outcome. Raises Stale when the lease is lost."""
    for _ in range(MAX_ROUNDS):
        action = _standing(segment, occurrence)
        failpoints.hit("call.looked")
        if action is not None and not action.is_call(tool, canonical(arguments)):
            return _diverged(action, tool, occurrence)
        if (action is None or _is_to_be_sent(action)) and (over := _over(segment)):
            return over
        if action is None:
            proposed = _propose(segment, tool, arguments, occurrence)
            if isinstance(proposed, Failure):
                return proposed
            action = proposed
        outcome = _follow(segment, action)
        if outcome is not None:
            return outcome
    return Failure("system", "The action kept changing between approval and dispatch.", {"tool": tool})


def _standing(segment: Segment, occurrence: int) -> Action | None:
    """The action that stands for this place: void and withdrawn ones do not."""
    return (
        Action.objects.filter(step_id=segment.step_id, occurrence=occurrence).exclude(status__in=ENDED_UNUSED).first()
    )


def _diverged(action: Action, tool: str, occurrence: int) -> Failure:
    return Failure(
        "determinism",
        f"Call {occurrence + 1} was {action.tool} before and is {tool} with other arguments now: "
        "code between calls must be deterministic.",
        {"tool": tool, "recorded_digest": digest(json.loads(action.proposed or action.arguments))},
    )


def no_longer_called(segment: Segment, made: int) -> Failure | None:
    """The run ended after `made` calls. An earlier one went further: people may have signed for what is left out now."""
    if segment.attempt_number == 1:
        return None  # before anything is composed: every step that succeeds comes by here
    rows = Action.objects.filter(step_id=segment.step_id, occurrence__gte=made).exclude(effect="read")
    action = rows.exclude(status__in=CAME_TO_NOTHING).order_by("occurrence").first()
    if action is None:
        return None
    number = action.occurrence + 1
    message = (
        f"Call {number} was {action.tool} before, and this run ended without it: the handler must be deterministic."
    )
    return Failure("determinism", message, {"tool": action.tool, "action": str(action.pk)})


def _propose(segment: Segment, tool: str, arguments: dict[str, Any], occurrence: int) -> Action | Failure:
    execution, agent = segment.execution, segment.spec.agent or f"{WORKFLOW}{segment.execution.workflow}"
    voided = list(Action.objects.filter(step_id=segment.step_id, occurrence=occurrence).order_by("created_at", "id"))
    if not voided and (over := caps.over_calls(segment)):
        return over
    arguments, proposed = _as_edited(voided, tool, arguments)
    facts = facts_of(execution, segment.key)
    judged = judge(tool=tool, arguments=arguments, agent=agent, unit_id=execution.unit_id, facts=facts)
    judged = asked_anew(segment, judged)
    pinned = segment.released.tools[tool]["version"]
    if judged.tool is not None and judged.tool.version != pinned:
        remedy = "Start the execution anew under a release that was published since."
        message = f"{tool} {pinned} of this release was replaced by {judged.tool.version}. {remedy}"
        return Failure("policy", message, {"tool": tool})
    record = None
    if judged.needs_record:
        read = probes.read_record(segment, tool, arguments)
        if isinstance(read, Failure):
            return read
        record = read
    undone = _undone(segment)
    business_key = _business_key(segment)
    if isinstance(business_key, Failure):
        return business_key
    return _propose_within_budget(
        segment,
        is_new=not voided,
        tool=tool,
        arguments=arguments,
        agent=agent,
        unit_id=execution.unit_id,
        by=ENGINE,
        judged=judged,
        record=record,
        business_key=business_key,
        context={"release": segment.released.digest, "step": segment.key, **_why_undone(segment, undone)},
        proposed=proposed,
        undoes=undone,
        place=Place(
            execution=execution,
            step_id=segment.step_id,
            fence=segment.fence,
            step_key=segment.key,
            occurrence=occurrence,
            revision=len(voided) + 1,
            replaces=voided[-1].approval_id if voided else None,
            sent_under=next((action.idempotency_key for action in voided if action.redeemed_at), ""),
        ),
    )


def _propose_within_budget(segment: Segment, *, is_new: bool, **call: Any) -> Action | Failure:
    """A call that counts is counted again under the lock it is proposed under: of two branches one takes the last."""
    if not is_new or segment.execution.envelope.get("tool_budget") is None:
        return propose(**call)
    with transaction.atomic():
        lock_execution(segment.execution.pk)
        return caps.over_calls(segment) or propose(**call)


def _undone(segment: Segment) -> Action | None:
    """The action that this step takes back, where its execution undoes another."""
    action_id = segment.released.undoes.get(segment.key)
    return Action.objects.get(pk=action_id) if action_id else None


def _why_undone(segment: Segment, undone: Action | None) -> dict[str, Any]:
    """For the reviewers: who wants it back and why, and what the effect had answered."""
    if undone is None:
        return {}
    why = f"{segment.execution.requester_name} wants it undone: {segment.execution.input['reason']}"
    return {"reason": why, "undoes": str(undone.pk), "result": undone.result}


def _as_edited(voided: list[Action], tool: str, arguments: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """What a reviewer made of this call stays when it is asked again, now beside the record of the edited arguments."""
    last = voided[-1] if voided else None
    if last is None or not last.proposed or not last.is_call(tool, canonical(arguments)):
        return arguments, ""
    return json.loads(last.arguments), last.proposed


def _business_key(segment: Segment) -> str | Failure:
    """What the step's `idempotency_key` gives; "" leaves it to the tool's own template."""
    source = segment.spec.idempotency_key
    if source is None:
        return ""
    scope = scope_of(segment.released.spec, segment.key, segment.execution.input, segment.outputs)
    found = compile_expression(source, segment.spec.variables).evaluate(scope)
    if found.error:
        return Failure("business", f"`idempotency_key: {source}` cannot be evaluated: {found.error}")
    value = found.value
    # Null would be one key for every execution that lacks the value; of an object nobody says how it is written.
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        return Failure("business", f"`idempotency_key: {source}` gives no text and no number, so it names no effect.")
    return str(value)


def _follow(segment: Segment, action: Action) -> CallOutcome | None:
    """What the action's status means for this attempt; None means: look again, it has moved."""
    if action.status in _ANSWERED or (action.status == ActionStatus.FAILED and action.failure_class in _FOR_GOOD):
        return _from_record(action)
    if action.status == ActionStatus.UNKNOWN:
        return settle_doubt(segment, action)
    if action.status == ActionStatus.REDEEMED and action.fence:
        # An earlier attempt of this step died between sending and recording.
        reconcile.mark_unknown(
            fence=action.fence, by=ENGINE, why="the attempt that sent it did not report", holder=segment.fence
        )
        return None
    if action.status == ActionStatus.FAILED:
        reconcile.regrant(action_id=action.pk, by=ENGINE, why="authorised retry, same key", holder=segment.fence)
        return None
    return _carry_out(segment, action)


def _over(segment: Segment) -> Failure | OverBudget | None:
    """What a send would go beyond: a cap, or a budget. An agent's step took its room when it began, a tool's takes it here."""
    if (over := caps.over_before(segment)) or segment.spec.agent or segment.is_reserved:
        return over
    try:
        reserve_for(segment)
    except OverBudget as full:
        return full
    return None


def _is_to_be_sent(action: Action) -> bool:
    """Sending uses something; an answer on record does not, nor does looking up what a send came to."""
    failed = action.status == ActionStatus.FAILED and action.failure_class not in _FOR_GOOD
    return failed or action.status == ActionStatus.GRANTED


# Failures that asking again does not change: the other system said no, or nobody was allowed to ask it.
_FOR_GOOD = {"business", "policy"}
_ANSWERED = {
    ActionStatus.SUCCEEDED,
    ActionStatus.UNDONE,
    ActionStatus.ANSWERED,
    ActionStatus.HELD,
    ActionStatus.SENT_BACK,
    ActionStatus.DENIED,
    ActionStatus.REJECTED,
    ActionStatus.EXPIRED,
}


def _from_record(action: Action) -> CallOutcome:
    """Nothing is done again: the stored answer is the answer."""
    match action.status:
        case ActionStatus.SUCCEEDED | ActionStatus.UNDONE if action.failure_class:
            # It took effect but broke its contract: asking again gives the same answer, never a silent pass.
            return Failure(action.failure_class, action.message, {"tool": action.tool})
        case ActionStatus.SUCCEEDED | ActionStatus.UNDONE | ActionStatus.ANSWERED:
            return Returned(action.result or {})
        case ActionStatus.HELD | ActionStatus.SENT_BACK:
            return Held(action) if action.approval_id else Halted(action.reasons[0])
        case ActionStatus.DENIED:
            return Refused("policy", "; ".join(action.reasons))
        case ActionStatus.FAILED:
            return Refused(action.failure_class, action.message)
        case status:
            return Refused(status, action.message, _rejection(action))


def _rejection(action: Action) -> dict[str, Any]:
    """The coded reason of whoever rejected it: a workflow's author counts and routes by codes, not by notes."""
    voice = Decision.objects.filter(request_id=action.approval_id, verdict=Verdict.REJECT).order_by("at").first()
    if voice is None:
        return {}
    return {
        "action": str(action.pk),
        "rejected_by": voice.person_name,
        "reason_code": voice.reason_code,
        "note": voice.note,
    }


def _carry_out(segment: Segment, action: Action) -> CallOutcome | None:
    if action.record:
        now = probes.read_record(segment, action.tool, json.loads(action.arguments))
        if isinstance(now, Failure):
            return now
        if canonical(now) != action.record:
            why = "the record changed after people approved; asked again"
            void_granted(action_id=action.pk, by=ENGINE, why=why, holder=segment.fence)
            return _asked_anew(segment, action)
    try:
        ticket = redeem(action_id=action.pk, by=ENGINE, fence=segment.fence)
    except Void:
        return _asked_anew(segment, action)
    except Stopped as refusal:
        return Halted(refusal.message)
    except (Limited, OverBudget) as refusal:
        return refusal
    return _dispatch(segment, ticket)


def _asked_anew(segment: Segment, action: Action) -> CallOutcome | None:
    """The approval opens nothing any more: people are asked again. What may have happened already, a person finds out first."""
    action.refresh_from_db()
    return wait_for_a_person(segment, action) if action.in_doubt else None


def _dispatch(segment: Segment, ticket: Ticket) -> CallOutcome:
    action = ticket.action
    contract = segment.released.tools[action.tool]
    ran = run_tool(segment, contract, ticket)
    failpoints.hit("send.answered")
    _charge(segment, action, ran)
    failpoints.hit("send.charged")
    outcome = _done(segment, ticket, contract, ran) if isinstance(ran, Done) else _not_done(segment, ticket, ran)
    failpoints.hit("send.reported")
    return outcome


def _report(ticket: Ticket, outcome: Reported, **more: Any) -> Action:
    return report(action_id=ticket.action.pk, fence=ticket.fence, outcome=outcome, by=ENGINE, **more)


def _done(segment: Segment, ticket: Ticket, contract: dict[str, Any], ran: Done) -> CallOutcome:
    action = ticket.action
    problem = problem_with_call(segment.spec, contract, ran.result)
    if problem is not None and action.effect == "read":
        _report(ticket, "system_error", message=problem.message, failure_class=problem.failure_class)
        return Failure(problem.failure_class, problem.message, {"tool": action.tool})
    if problem is None:
        _report(ticket, "success", result=ran.result)
        return Returned(ran.result)
    message = f"{action.tool} took effect, but {problem.message}"
    _report(ticket, "success", result=ran.result, message=message, failure_class=problem.failure_class)
    return Failure(problem.failure_class, message, {"tool": action.tool})


def _charge(segment: Segment, action: Action, ran: Outcome) -> None:
    """Before the outcome is known: a call that failed, or whose report comes too late, costs the same."""
    for usage in usages_of(ran.usage, segment.released):
        budgets.charge(usage, place_of(action))


def _not_done(segment: Segment, ticket: Ticket, ran: Failed) -> CallOutcome:
    """A declared failure says whether anything happened; for everything else a send may have happened: unknown."""
    action = ticket.action
    evidence = {"tool": action.tool, "action": str(action.pk), "detail": ran.detail, "logs": ran.logs[-2000:]}
    if ran.failure_class == "business" or (ran.failure_class == "policy" and ran.detail["nothing_was_sent"]):
        told = _report(ticket, "business_error", message=ran.message, failure_class=ran.failure_class)
        # What an earlier send did is still open: the handler is not told no, it could do the work in another way.
        return wait_for_a_person(segment, told) if told.in_doubt else Refused(ran.failure_class, ran.message)
    if ran.failure_class == "system" or action.effect == "read":
        # Reading again does no harm, however the answer was lost.
        kind = "system" if ran.failure_class in {"unknown_outcome", "protocol"} else failure_class_of(ran)
        _report(ticket, "system_error", message=ran.message, failure_class=kind)
        return Failure(kind, ran.message, evidence)
    _report(ticket, "unknown", message=ran.message)
    return Failure("unknown_outcome", ran.message, evidence)
