"""The first verb: an agent wants something done. It is stored whole with its verdict, and people are asked where they must be."""

import json
from typing import Any
from uuid import UUID

from django.db import transaction

from approvals import operations as approvals
from approvals.models import ApprovalRequest
from approvals.rules.policies import Requirement
from audit import lifecycle
from audit.actors import Actor
from audit.canonical import NotCanonical, canonical
from audit.deadlocks import again
from audit.ids import new_id
from audit.lifecycle import move
from audit.refusals import Invalid, NotVisible, Refusal
from orchestrator.gate.announce import announce
from orchestrator.gate.duties import duties_of
from orchestrator.gate.judge import STRICTEST_TIER, Judged, judge, tier_of, unit_facts
from orchestrator.gate.keys import Place, business_key_for, earlier_under, mint_key, one_at_a_time
from orchestrator.gate.locks import lock_execution, refuse_without_lease
from orchestrator.gate.mentions import mentions_of
from orchestrator.gate.snapshot import digest_of, snapshot_of, title_of, undo_sentence
from orchestrator.gate.stopped import wait_while_stopped
from orchestrator.models import Action, Execution
from orchestrator.statuses import ActionStatus, ExecutionStatus

# Whoever ended it, or its deadline, took back what waited in it. After a success people are still asked.
ENDED_FROM_OUTSIDE = {ExecutionStatus.CANCELLED, ExecutionStatus.TIMED_OUT}


class ExecutionOver(Refusal):
    """Somebody has cancelled the execution that the call names, or its time ran out."""

    code = "execution_over"


@again
@transaction.atomic
def propose(
    *,
    tool: str,
    arguments: dict[str, Any],
    agent: str,
    unit_id: UUID,
    by: Actor,
    context: dict[str, Any] | None = None,
    business_key: str = "",
    execution_id: UUID | None = None,
    trace_id: UUID | None = None,
    idempotency_hint: str = "",
    place: Place | None = None,
    judged: Judged | None = None,
    record: dict[str, Any] | None = None,
    undoes: Action | None = None,
    proposed: str = "",
) -> Action:
    """Store the proposal with its verdict, and open the approval request when it is held.

    `trace_id` is the caller's trace: for a call that belongs to no execution of ours.
    The same hint from the same agent for the same call answers the action it made before.
    Raises Invalid, NotVisible, ExecutionOver, Stale (the attempt that proposes lost its lease).
    """
    unit = unit_facts(unit_id)
    if not unit:
        raise NotVisible("There is no such business unit.")
    if place is not None:
        lock_execution(place.execution.pk)
        refuse_without_lease(place.step_id, place.fence)
    judged = judged or judge(tool=tool, arguments=arguments, agent=agent, unit_id=unit_id, unit=unit)
    action = Action(
        id=new_id(),
        unit_id=unit_id,
        unit_title=unit["title"],
        agent=agent,
        tool=tool,
        tool_version=judged.tool.version if judged.tool else "",
        effect=judged.tool.effect if judged.tool else "",
        tier=tier_of(judged.requirement.required, judged.tool.tier if judged.tool else STRICTEST_TIER),
        execution_id=place.execution.pk if place else execution_id,
        trace_id=trace_id,
        arguments=canonical_arguments(arguments),
        proposed=proposed,
        record=canonical(record) if record is not None else "",
        business_key=business_key_for(
            judged.tool, arguments, business_key, is_foreign=place is None and undoes is None
        ),
        context=context or {},
        verdict=judged.verdict,
        denial=judged.denial,
        reasons=judged.reasons,
        required=judged.requirement.required,
        policy_version=judged.requirement.policy_version,
        bypass_id=judged.bypass.pk if judged.bypass else None,
        undoes_id=undoes.pk if undoes else None,
        **_asker(by, place),
    )
    action.idempotency_key = mint_key(action, place, idempotency_hint)
    action.digest = digest_of(action)
    earlier = None
    if idempotency_hint:
        one_at_a_time(action.idempotency_key)
        earlier = earlier_under(action)
    if earlier:
        return earlier
    if execution_id and place is None and undoes is None:
        _refuse_after_the_end(execution_id)
    return _store(action, judged, by, place)


def _refuse_after_the_end(execution_id: UUID) -> None:
    """No call is granted in what was ended. The row is locked, so that no cancellation overtakes this."""
    named = Execution.objects.select_for_update(no_key=True).filter(pk=execution_id).first()
    if named is not None and named.status in ENDED_FROM_OUTSIDE:
        raise ExecutionOver(f"The execution is {named.status.replace('_', ' ')}: nothing more is done in it.")


def canonical_arguments(arguments: dict[str, Any]) -> str:
    try:
        text = canonical(arguments)
        # Digests are taken over what is read back, so what cannot be read back is refused here.
        canonical(json.loads(text))
    except NotCanonical as error:
        raise Invalid(
            "The arguments cannot be stored exactly.", errors=[("/arguments", "not_exact", str(error))]
        ) from None
    return text


def _asker(by: Actor, place: Place | None) -> dict[str, Any]:
    if place is None:
        return {"requester": by.key, "requester_name": by.name}
    return {
        "requester": place.execution.requester,
        "requester_name": place.execution.requester_name,
        "step_id": place.step_id,
        "occurrence": place.occurrence,
        "revision": place.revision,
    }


def _store(action: Action, judged: Judged, by: Actor, place: Place | None) -> Action:
    facts = {"digest": action.digest, "tool": action.tool, "agent": action.agent, "key": action.idempotency_key}
    if judged.bypass:
        facts["bypass"] = str(judged.bypass.pk)
    wait_while_stopped(action)
    lifecycle.born(action, by=by, data=facts)
    why = "; ".join(action.reasons)[:1000]
    if action.verdict == "deny":
        move(action, to=ActionStatus.DENIED, by=by, why=why, finished_at=lifecycle.Now())
    elif action.verdict == "allow":
        move(action, to=ActionStatus.GRANTED, by=by, why=why)
    elif not action.required:
        move(action, to=ActionStatus.HELD, by=by, why=why)
    else:
        request = _ask(action, judged, by, replaces=place.replaces if place else None)
        move(action, to=ActionStatus.HELD, by=by, why=why, approval_id=request.pk)
    announce(action)
    return action


def _ask(action: Action, judged: Judged, by: Actor, *, replaces: UUID | None) -> ApprovalRequest:
    subject = subject_of(action, judged, replaces=replaces)
    return approvals.open_request(by=by, subject=subject, asked=asked_of(judged.requirement))


def subject_of(action: Action, judged: Judged, *, replaces: UUID | None = None) -> approvals.Subject:
    """The call as people are shown it."""
    tool, need = judged.known_tool(), judged.requirement
    return approvals.Subject(
        id=action.pk,
        unit_id=action.unit_id,
        unit_title=action.unit_title,
        execution_id=action.execution_id,
        replaces=replaces,
        title=title_of(tool, json.loads(action.arguments), json.loads(action.record or "null")),
        tool=action.tool,
        tool_version=action.tool_version,
        agent=action.agent,
        effect=action.effect,
        reversible=undo_sentence(tool),
        snapshot=snapshot_of(action),
        digest=action.digest,
        revision=action.revision,
        tier=tier_of(need.required, action.tier),
        requester=action.requester,
        requester_name=action.requester_name,
        duties=duties_of(action, tool=tool, requirement=need),
        evidence=list(action.context.get("evidence", [])),
        found=mentions_of(action),
        agent_says=str(action.context.get("reason", "")),
    )


def asked_of(need: Requirement) -> approvals.Asked:
    """What the policies ask of people."""
    return approvals.Asked(
        required=need.required,
        policy_version=need.policy_version,
        reasons=need.reasons,
        decide_within_seconds=need.decide_within_seconds,
        use_within_seconds=need.use_within_seconds,
        on_timeout=need.on_timeout,
        escalate_to=need.escalate_to,
        needs=need.needs,
        reason_codes=need.reason_codes,
        checks=need.checks,
        step_up=need.step_up,
        clocks=need.clocks,
    )
