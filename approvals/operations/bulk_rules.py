"""What may be done to several requests at once. Approving: equal acts of the first tier only, each one the person's to sign."""

from collections.abc import Callable
from dataclasses import replace

from approvals import snapshots
from approvals.models import ApprovalRequest, BulkAct, Claim
from approvals.rules.eligible import asked, may_decide
from approvals.rules.permissions import refuse_unless_reviewer
from approvals.rules.showing import lock_of
from approvals.rules.signers import refuse_unless_needed
from approvals.rules.stopped import refuse_stopped
from audit.actors import Actor
from audit.refusals import Refusal

APPROVE_AT_MOST = 20
# The first tier: one signature is enough, and no money is at stake.
FIRST_TIER = frozenset({"informational", "customer_facing"})


class NotAlike(Refusal):
    """These requests cannot be approved together. The message names each one that stands in the way."""

    code = "not_alike"


def likeness(request: ApprovalRequest) -> str:
    """Requests with the same likeness may be approved together; empty where that is out of the question."""
    if request.required != 1 or request.tier not in FIRST_TIER or not request.is_pending or request.is_frozen:
        return ""
    if request.checks or request.asks_step_up or request.is_by_hand:
        return ""
    return " ".join([request.tool, request.tool_version, request.tier, request.policy_version, str(request.unit_id)])


def refuse_unlike(requests: list[ApprovalRequest], by: Actor) -> None:
    """Refuse to approve together what is not equal, too much, or not this person's to sign: with every reason."""
    in_the_way = (
        [f"{len(requests)} were chosen, {APPROVE_AT_MOST} are the most"] if len(requests) > APPROVE_AT_MOST else []
    )
    alike = {likeness(request) for request in requests}
    if "" not in alike and len(alike) > 1:
        in_the_way.append("they are not the same action under the same policy version, tier and unit")
    asking = replace(by, answers={})
    for request in requests[:APPROVE_AT_MOST]:
        why = _asks_for_more(request) or _approves(request, asking)
        if why:
            in_the_way.append(f"“{request.title}”: {why}")
    if in_the_way:
        raise NotAlike(
            f"These requests cannot be approved together: {'; '.join(in_the_way)}.",
            remedy="Open them one by one, or choose equal ones that need one signature.",
        )


def _asks_for_more(request: ApprovalRequest) -> str:
    """What a form for several cannot give: more than one reason code for all of them."""
    if request.required != 1:
        return "it needs two people"
    if request.tier not in FIRST_TIER:
        return f"its tier is {request.tier.replace('_', ' ')}"
    if request.is_by_hand:
        return "it is to be done by hand, one by one"
    if request.checks:
        return "its policy asks questions that are answered one by one"
    if request.asks_step_up:
        return "it is confirmed with a second factor, one by one"
    return "its page cannot show it whole" if lock_of(request, snapshots.read(request.snapshot)) else ""


def left_out(act: str, request: ApprovalRequest, by: Actor) -> str:
    """Why this act cannot be done to this request now; "" when it can. Asked for the preview; the verb asks again."""
    if not request.is_open:
        return f"It is already {request.status}."
    if not request.is_pending and act not in {BulkAct.RELEASE, BulkAct.ASSIGN}:
        return "It was sent back with a question, and comes back with the answer."
    return _RULES[BulkAct(act)](request, by)


def _decides(request: ApprovalRequest, by: Actor) -> str:
    return may_decide(request, by).why


def _rejects(request: ApprovalRequest, by: Actor) -> str:
    """A second factor is given for one request, a "no" included."""
    found = may_decide(request, by).why
    if found or not request.asks_step_up:
        return found
    return "It takes a second factor, so it is decided on its own page."


def _approves(request: ApprovalRequest, by: Actor) -> str:
    """Nothing is approved that is stopped or by somebody who is not needed, in bulk as little as one by one."""
    found = may_decide(request, by)
    return found.why or asked(request, by, lambda request, by: refuse_stopped(request), refuse_unless_needed).why


def _holds(request: ApprovalRequest, by: Actor) -> str:
    held = Claim.objects.open().filter(request=request, person_id=by.user_id).exists()
    return "" if held else "You do not hold it."


def _assigns(request: ApprovalRequest, by: Actor) -> str:
    try:
        refuse_unless_reviewer(request, by)
    except Refusal as refusal:
        return refusal.message
    return ""


_RULES: dict[BulkAct, Callable[[ApprovalRequest, Actor], str]] = {
    BulkAct.CLAIM: _decides,
    BulkAct.RELEASE: _holds,
    BulkAct.ASSIGN: _assigns,
    BulkAct.REJECT: _rejects,
    BulkAct.APPROVE: _approves,
}
