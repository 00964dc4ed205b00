"""An approval opens one dispatch: asked for at the gate, where every signature is judged again."""

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from approvals.models import ApprovalRequest
from approvals.rules.signers import standing
from approvals.statuses import RequestStatus
from audit.actors import Actor
from audit.lifecycle import move
from audit.refusals import Refusal, Stale


class NotUsable(Refusal):
    """The approval does not open this dispatch: wrong digest, lapsed, or its signatures no longer count."""

    code = "approval_not_usable"


@transaction.atomic
def use(*, subject_id: UUID, digest: str, by: Actor, duties: Mapping[str, str] | None = None) -> ApprovalRequest:
    """Consume the approval for one dispatch, inside the redeeming transaction.

    Everything is asked again: same digest, inside its window, and every signature still counts. `duties` are those of
    now, beside the ones that were frozen when people were asked. Raises NotUsable.
    """
    rows = ApprovalRequest.objects.real().select_for_update()
    request = rows.filter(subject_id=subject_id, status=RequestStatus.APPROVED).first()
    if request is None:
        raise NotUsable("There is no approval waiting to be used for this action.")
    if request.digest != digest:
        raise NotUsable("The action changed after it was approved.", code="changed_since_approved")
    refuse_revoked(request, duties)
    try:
        move(request, to=RequestStatus.USED, by=by, guard={"use_by__gt": Now()}, data={"digest": digest})
    except Stale:
        raise NotUsable("The approval was not used in time.", code="approval_lapsed") from None
    return request


def refuse_revoked(request: ApprovalRequest, duties: Mapping[str, str] | None = None) -> None:
    """Every signature it was approved with counts still. Asked again before every further dispatch of the same grant."""
    if not standing(request, also_excluded=frozenset(duties or ())).complete:
        raise NotUsable(
            "A signature no longer counts: its reviewer lost the role or the group, or took a duty in it since.",
            code="signature_revoked",
        )
