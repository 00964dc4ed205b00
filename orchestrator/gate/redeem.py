"""The heart: in one transaction the approval is consumed, the key claimed, the fence checked and the bytes handed out, once."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from approvals import operations as approvals
from approvals.models import ApprovalPolicy, ApprovalRequest
from approvals.quorum import Need
from approvals.statuses import RequestStatus
from audit import lifecycle
from audit.actors import Actor
from audit.deadlocks import again
from audit.ids import new_id
from audit.lifecycle import move, run
from audit.refusals import Refusal
from budgets.units import lineage
from orchestrator.gate.announce import announce
from orchestrator.gate.budgeting import reserve_for
from orchestrator.gate.duties import duties_of_agents
from orchestrator.gate.judge import WORKFLOW, judge_again
from orchestrator.gate.limits import admit
from orchestrator.gate.locks import lock_action, lock_held, refuse_foreign, refuse_without_lease
from orchestrator.gate.reconcile import back_in_doubt
from orchestrator.gate.snapshot import digest_of
from orchestrator.gate.stopped import refuse_stopped
from orchestrator.models import Action, Agent, Tool
from orchestrator.statuses import ActionStatus

# Longer than anybody takes from reading the policies to storing the verdict.
JUDGING_TAKES = timedelta(minutes=5)
# Not each time: whoever redeems for the same agent would wait for its row until the other's transaction has ended.
_NOTE_USE = """
UPDATE orchestrator_agent SET last_used_at = statement_timestamp()
WHERE name = %s AND status = 'active' AND coalesce(last_used_at < statement_timestamp() - interval '1 minute', true)
"""


class NotGranted(Refusal):
    """The action is in no state to be carried out; the message says which."""

    code = "not_granted"


class Void(Refusal):
    """What was approved is not what would be sent now. The approval opens nothing; it has to be asked again."""

    code = "void"


@dataclass(frozen=True, slots=True)
class Ticket:
    """Permission for one dispatch: exactly these arguments, under this key, reported under this fence."""

    action: Action
    arguments: dict[str, Any]
    idempotency_key: str
    fence: UUID
    use_by: datetime | None


def redeem(*, action_id: UUID, by: Actor, fence: UUID | None = None) -> Ticket:
    """Hand out the stored arguments once per grant. `fence` is the attempt of one of our own steps.

    Raises NotGranted, Stopped, Limited, OverBudget, Stale (the attempt lost its lease), Void (and the action is then
    void), NotVisible.
    """
    try:
        return _redeem(action_id, by, fence)
    except (Void, approvals.NotUsable) as refusal:
        void_granted(action_id=action_id, by=by, why=refusal.message)
        raise Void(refusal.message, code=refusal.code) from None


@again
@transaction.atomic
def _redeem(action_id: UUID, by: Actor, fence: UUID | None) -> Ticket:
    action = lock_action(action_id)
    refuse_foreign(action, by)
    if action.status != ActionStatus.GRANTED:
        if action.status == ActionStatus.HELD:
            refuse_stopped(action)
        raise NotGranted(_why_not(action), code=f"action_{action.status}")
    refuse_stopped(action)
    refuse_without_lease(action.step_id, fence)
    _refuse_changed(action)
    if action.bypass_id or _in_force_since(action.created_at - JUDGING_TAKES, action.tool).exists():
        _refuse_stricter_policy(action)
    admit(action)
    use_by = _consume_approval(action, by)
    action.fence = fence = fence or new_id()
    reserve_for(action, by)
    move(
        action,
        to=ActionStatus.REDEEMED,
        by=by,
        data={"digest": action.digest, "fence": str(fence)},
        fence=fence,
        redeemed_at=Now(),
        use_by=use_by,
    )
    run(_NOTE_USE, [action.agent])
    announce(action)
    return Ticket(action, json.loads(action.arguments), action.idempotency_key, fence, use_by)


def obstacle_of(request: ApprovalRequest) -> str:
    """Why a grant would be void at the dispatch, as things stand now; "" where nothing says so. Changes nothing."""
    newer = Exists(_in_force_since(OuterRef("created_at"), OuterRef("tool")))
    waiting = Action.objects.filter(pk=request.subject_id, status__in=[ActionStatus.HELD, ActionStatus.GRANTED])
    action: Any = waiting.annotate(has_newer_policies=newer).first()
    try:
        if action is not None:
            _refuse_changed(action)
            # A page is read more often than an act is sent: the policies are weighed only where there are new ones.
            if action.bypass_id or action.has_newer_policies:
                _refuse_stricter_policy(action)
    except Void as refusal:
        return refusal.message
    return ""


def _why_not(action: Action) -> str:
    return {
        ActionStatus.HELD: "People have not decided yet.",
        ActionStatus.SENT_BACK: "A reviewer asked a question that is not answered yet.",
        ActionStatus.ANSWERED: "A person gave the result; there is nothing to carry out.",
        ActionStatus.REDEEMED: "It was already redeemed; a grant opens one dispatch.",
        ActionStatus.DENIED: "Policy denied it.",
        ActionStatus.REJECTED: "A reviewer rejected it.",
        ActionStatus.EXPIRED: "Its time ran out.",
    }.get(ActionStatus(action.status), f"The action is {action.status}.")


def _refuse_changed(action: Action) -> None:
    if not Tool.objects.active().filter(name=action.tool, version=action.tool_version).exists():
        raise Void(
            f"The tool {action.tool} {action.tool_version} is no longer the active version.", code="tool_changed"
        )
    if not action.agent.startswith(WORKFLOW):
        _refuse_changed_agent(action)
    if digest_of(action) != action.digest:
        raise Void("The stored bytes do not match the digest that was judged.", code="digest_mismatch")


def _refuse_changed_agent(action: Action) -> None:
    agent = Agent.objects.active().filter(name=action.agent).first()
    if agent is None:
        raise Void(f"The agent {action.agent} is no longer active.", code="agent_changed")
    at_home = agent.unit_id == action.unit_id or agent.unit_id in lineage(action.unit_id)
    if not at_home or not agent.may_call(action.tool):
        raise Void(f"The agent {action.agent} may no longer call {action.tool} here.", code="agent_changed")


def _in_force_since(moment: Any, tool: Any) -> QuerySet[ApprovalPolicy]:
    """Policies that cover the tool and came into force after this moment; both may be columns of a row around it."""
    newer: QuerySet[ApprovalPolicy] = ApprovalPolicy.objects.active().filter(
        tool__in=[tool, "*"], activated_at__gt=moment
    )
    return newer


def _refuse_stricter_policy(action: Action) -> None:
    """A policy put in force since the action was judged is asked as well. One that was taken back gives nothing away.

    Asked where there is one, and of what a bypass let through in any case: a bypass that has ended lets nothing through.
    """
    judged = judge_again(action, json.loads(action.arguments))
    asked = ApprovalRequest.objects.filter(pk=action.approval_id).first() if action.approval_id else None
    stricter = judged.requirement.asks_more_than(
        required=action.required,
        needs=Need.read(asked.needs) if asked else (),
        checks=asked.checks if asked else (),
        step_up=asked.asks_step_up if asked else False,
    )
    if judged.requirement.denied or stricter:
        raise Void("The policies in force now ask for more than was given.", code="policy_changed")


def _consume_approval(action: Action, by: Actor) -> datetime | None:
    if action.approval_id is None:
        return None
    request = ApprovalRequest.objects.get(pk=action.approval_id)
    # The agent may have another owner by now: whoever signed for it does not own it.
    duties = duties_of_agents([action.agent, action.requester.removeprefix("agent:")])
    if request.status != RequestStatus.USED:
        return approvals.use(subject_id=action.pk, digest=action.digest, by=by, duties=duties).use_by
    # A retry of the same dispatch, same key and bytes, inside the same window.
    if request.digest != action.digest or request.use_by is None or lifecycle.database_now() >= request.use_by:
        raise Void("The approval's time for use is over.", code="approval_lapsed")
    approvals.refuse_revoked(request, duties)
    return request.use_by


@transaction.atomic
def void_granted(*, action_id: UUID, by: Actor, why: str, holder: UUID | None = None) -> None:
    """What people saw is not what would be sent: they are asked again. `holder` is the attempt that found it so.

    Raises Stale when it lost its lease.
    """
    action = lock_held(action_id, holder)
    if action.status == ActionStatus.GRANTED:
        approvals.void(subject_id=action.pk, by=by, why=why)
        if action.in_doubt:
            back_in_doubt(action, by=by, why=why)
            return
        move(action, to=ActionStatus.VOID, by=by, why=why, finished_at=Now())
        announce(action)
