"""Doing one thing to several requests: frozen when chosen, shown, confirmed, then done one by one through the same verbs.

Nothing here decides. Each item is approved or rejected by `operations`, over the digest that its preview showed; what
changed meanwhile is refused there and named in the result. An item's outcome commits together with its deed, so a
run that was cut off is taken up where it stopped.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from approvals import operations
from approvals.models import FITS, ApprovalRequest, BulkAct, BulkItem, BulkOperation, Outcome, ReasonCode, Verdict
from approvals.operations import Changed, Voice, assignments, claims
from approvals.operations.bulk_rules import left_out, refuse_unlike
from approvals.rules.permissions import person_id
from approvals.statuses import BulkStatus
from audit import lifecycle
from audit.actors import Actor
from audit.lifecycle import move
from audit.refusals import Forbidden, Invalid, NotVisible, Refusal, Stale

logger = logging.getLogger(__name__)
VERDICTS = {BulkAct.APPROVE: Verdict.APPROVE, BulkAct.REJECT: Verdict.REJECT}


class NothingChosen(Refusal):
    """No request was selected."""

    code = "nothing_chosen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the person adds when they confirm: a coded reason and a note, or whom to ask."""

    reason_code: str = ""
    note: str = ""
    assignee_id: int | None = None


@transaction.atomic
def preview(*, act: str, requests: Iterable[ApprovalRequest], by: Actor, query: str = "") -> BulkOperation:
    """Freeze what was chosen, with the digests to be shown. What the act cannot be done to is left out, with the reason."""
    if not by.is_person:
        raise Forbidden("Only people decide, and so only people act in bulk.", code="people_only")
    chosen = list(requests)
    if not chosen:
        raise NothingChosen("No request is selected.", remedy="Select rows first, or choose all that match.")
    if act == BulkAct.APPROVE:
        refuse_unlike(chosen, by)
    asking = replace(by, answers={})
    operation = BulkOperation(act=act, person_id=person_id(by), query=query)
    lifecycle.born(operation, by=by, data={"act": act, "items": len(chosen)})
    BulkItem.objects.bulk_create(
        [_frozen(operation, place, request, asking) for place, request in enumerate(chosen, 1)]
    )
    return operation


def _frozen(operation: BulkOperation, place: int, request: ApprovalRequest, by: Actor) -> BulkItem:
    why = left_out(operation.act, request, by)
    return BulkItem(
        operation=operation, request=request, place=place, digest=request.digest, revision=request.revision,
        outcome=Outcome.LEFT_OUT if why else "", why=why, at=Now() if why else None,
    )  # fmt: skip


def confirm(*, operation_id: UUID, by: Actor, words: Words) -> BulkOperation:
    """Do it to every item that has no outcome yet. Confirmed twice, or taken up after a crash, no item is done twice.

    The first confirmation's words hold.
    """
    operation = _begin(operation_id, by, words)
    for item_id in operation.items.filter(outcome="").order_by("place").values_list("pk", flat=True):
        _do(item_id, operation, by)
    return _finish(operation_id, by)


@transaction.atomic
def _begin(operation_id: UUID, by: Actor, words: Words) -> BulkOperation:
    operation = _lock(operation_id, by)
    if operation.status == BulkStatus.DONE:
        raise Stale("This bulk operation is done already. Nothing was done again.")
    if operation.status == BulkStatus.PREVIEWED:
        _refuse_wrong_words(operation.act, words)
        move(operation, to=BulkStatus.RUNNING, by=by, confirmed_at=Now(), reason_code=words.reason_code,
             note=words.note, assignee_id=words.assignee_id)  # fmt: skip
    return operation


def _lock(operation_id: UUID, by: Actor) -> BulkOperation:
    rows = BulkOperation.objects.select_for_update().filter(person_id=by.user_id)
    operation: BulkOperation | None = rows.filter(pk=operation_id).first() if by.is_person else None
    if operation is None:
        raise NotVisible("There is no such bulk operation of yours.")
    return operation


def _refuse_wrong_words(act: str, words: Words) -> None:
    verdict = VERDICTS.get(BulkAct(act))
    if verdict and words.reason_code not in FITS[verdict]:
        raise Invalid("Choose a reason.", errors=[("/reason_code", "required", f"Choose a reason to {verdict}.")])
    if words.reason_code == ReasonCode.OTHER and not words.note.strip():
        raise Invalid("A note is needed.", errors=[("/note", "required", "The reason “other” needs a note.")])
    if act == BulkAct.ASSIGN and words.assignee_id is None:
        raise Invalid("Choose a person.", errors=[("/assignee", "required", "Choose whom to ask.")])


@transaction.atomic
def _do(item_id: UUID, operation: BulkOperation, by: Actor) -> None:
    """One item, and what became of it, in one transaction. Somebody else's hand on it (a second confirmation) skips it."""
    item = BulkItem.objects.select_for_update(skip_locked=True).filter(pk=item_id, outcome="").first()
    if item is None:
        return
    try:
        with transaction.atomic():
            _ACTS[BulkAct(operation.act)](item, operation, by)
        item.outcome = Outcome.DONE
    except Refusal as refusal:
        item.outcome, item.why = Outcome.REFUSED, refusal.message
    except Exception:
        logger.exception("bulk: one item failed")
        item.outcome, item.why = Outcome.FAILED, "Something went wrong on our side. Nothing was done to this request."
    item.at = lifecycle.database_now()
    item.save(update_fields=["outcome", "why", "at"])


@transaction.atomic
def _finish(operation_id: UUID, by: Actor) -> BulkOperation:
    operation = _lock(operation_id, by)
    outcomes = [*operation.items.values_list("outcome", flat=True)]
    if operation.status == BulkStatus.RUNNING and "" not in outcomes:
        counts: dict[str, Any] = {str(outcome): outcomes.count(outcome) for outcome in Outcome.values}
        move(operation, to=BulkStatus.DONE, by=by, finished_at=Now(), data=counts)
    return operation


# --- One item --------------------------------------------------------------------------------------------------


def _claim(item: BulkItem, operation: BulkOperation, by: Actor) -> None:
    claims.claim(request_id=item.request_id, by=by)


def _release(item: BulkItem, operation: BulkOperation, by: Actor) -> None:
    claims.release(request_id=item.request_id, by=by)


def _assign(item: BulkItem, operation: BulkOperation, by: Actor) -> None:
    assignments.assign(request_id=item.request_id, to=operation.assignee_id or 0, by=by)


def _approve(item: BulkItem, operation: BulkOperation, by: Actor) -> None:
    _refuse_decided(item, by)
    operations.approve(request_id=item.request_id, by=by, voice=_voice(item, operation))


def _reject(item: BulkItem, operation: BulkOperation, by: Actor) -> None:
    _refuse_decided(item, by)
    operations.reject(request_id=item.request_id, by=by, voice=_voice(item, operation))


def _refuse_decided(item: BulkItem, by: Actor) -> None:
    """Repeating one's own voice is harmless, but here it would read as done by this operation."""
    if item.request.decisions.filter(person_id=by.user_id, revision=item.revision).exists():
        raise Changed("You signed this request after the preview. Nothing was recorded again.")


def _voice(item: BulkItem, operation: BulkOperation) -> Voice:
    return Voice(
        digest=item.digest, revision=item.revision, reason_code=operation.reason_code, note=operation.note,
        viewed={"bulk_operation": str(operation.pk), "place": item.place},
    )  # fmt: skip


_ACTS: dict[BulkAct, Callable[[BulkItem, BulkOperation, Actor], None]] = {
    BulkAct.CLAIM: _claim,
    BulkAct.RELEASE: _release,
    BulkAct.ASSIGN: _assign,
    BulkAct.APPROVE: _approve,
    BulkAct.REJECT: _reject,
}
