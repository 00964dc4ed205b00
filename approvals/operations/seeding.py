"""Test items: written by an administrator, decided like any other request, carried out never, revealed right afterwards.

Off unless a policy in force says otherwise, and a policy takes two administrators. Behind a test request stands no action
and no step, so there is nothing the gate could redeem; besides, one that was approved is void in the same moment, and the
database refuses to call it used.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from approvals.models import ApprovalPolicy, ApprovalRequest, SeededItem
from approvals.models.seeded_item import SHORTEST_HINT, Expected
from approvals.operations import Asked, Subject, open_request
from approvals.rules.administrators import is_administrator
from approvals.rules.draws import named_in
from approvals.rules.permissions import person_id
from approvals.rules.standing import review_units_of_person
from approvals.statuses import RequestStatus, SeededItemStatus
from audit import lifecycle, people, scope
from audit.actors import Actor, system
from audit.lifecycle import move
from audit.refusals import Forbidden, Invalid, Refusal

REVEALED = "This was a test item. Nothing is carried out; the page says what there was to see."
SEEDING = system("gate")


class NotSwitchedOn(Refusal):
    """Test items are off until two administrators have switched them on in a policy."""

    code = "test_items_off"


@transaction.atomic
def seed(
    *,
    subject: Subject,
    asked: Asked,
    expected: str,
    hint: str,
    source_id: UUID,
    changes: Iterable[dict[str, Any]],
    by: Actor,
) -> SeededItem:
    """Put a test item in front of the reviewers, looking like any other request. Who wrote it does not decide it.

    Raises Forbidden, NotSwitchedOn, Invalid.
    """
    refuse_unless_writer(by, subject.unit_id)
    refuse_unless_switched_on(asked.policy_version)
    _refuse_without_hint(hint)
    # The request's own trail must read like any other's; who wrote it stands in the item's, under seal until it is decided.
    request = open_request(subject=subject, asked=asked, by=SEEDING)
    item = SeededItem(
        request=request,
        unit_id=request.unit_id,
        source_id=source_id,
        expected=Expected(expected),
        hint=hint.strip()[:500],
        changes=list(changes),
        written_by_id=person_id(by),
        written_by_name=by.name,
    )
    lifecycle.born(item, by=by, data={"request": str(request.pk), "source": str(source_id), "expected": expected})
    return item


def refuse_unless_writer(by: Actor, unit_id: UUID) -> None:
    if unit_id not in scope.unit_ids(by, "view") or not is_administrator(by):
        raise Forbidden(
            "Test items are written by administrators.",
            code="not_an_administrator",
            remedy="Ask an administrator of your business unit.",
        )


def refuse_unless_switched_on(policy_version: str) -> None:
    """A policy in force that holds for the call has to say so."""
    named = named_in(policy_version)
    rows = ApprovalPolicy.objects.active().filter(test_items=True, name__in=[name for name, _ in named])
    if not any((policy.name, policy.version) in named for policy in rows):
        raise NotSwitchedOn(
            "No policy that holds for this call has test items switched on.",
            remedy="Draft a new version of the policy with “Test items” ticked; another administrator activates it.",
        )


def _refuse_without_hint(hint: str) -> None:
    if len(hint.strip()) < SHORTEST_HINT:
        words = f"Say in at least {SHORTEST_HINT} characters what there is to see."
        raise Invalid("A test item teaches something.", errors=[("/hint", "too_short", words)])


def end(request: ApprovalRequest, *, by: Actor) -> None:
    """Its request was resolved: say how it went. What was approved is void at once; it opens nothing."""
    item = SeededItem.objects.waiting().filter(request=request).first()
    if item is None:
        return
    if request.status == RequestStatus.APPROVED:
        _end(item, "approved", by=by)
        move(request, to=RequestStatus.VOID, by=by, why="It was a test item.", resolved_at=Now())
    elif request.status == RequestStatus.REJECTED:
        _end(item, "rejected", by=by)
    else:
        move(item, to=SeededItemStatus.LAPSED, by=by, why=f"the request is {request.status}", ended_at=Now())


def end_beside(request: ApprovalRequest, *, act: str, by: Actor) -> ApprovalRequest:
    """Somebody edits, answers or asks instead of signing. That, too, shows whether they noticed; the item ends here.

    The caller has locked and judged the request as for the real act.
    """
    item = SeededItem.objects.waiting().get(request=request)
    _end(item, act, by=by)
    move(request, to=RequestStatus.VOID, by=by, why=f"It was a test item, and a reviewer {act} it.", resolved_at=Now())
    return request


def _end(item: SeededItem, act: str, *, by: Actor) -> None:
    noticed = {Expected.BAD: SeededItemStatus.CAUGHT, Expected.GOOD: SeededItemStatus.OBJECTED}
    let_through = {Expected.BAD: SeededItemStatus.MISSED, Expected.GOOD: SeededItemStatus.PASSED}
    # Asking about something good is no mistake.
    passes = act == "approved" or (act == "asked" and item.expected == Expected.GOOD)
    to = (let_through if passes else noticed)[Expected(item.expected)]
    move(item, to=to, by=by, data={"request": str(item.request_id), "act": act}, act=act, ended_at=Now())


def sealed(reader: Actor) -> Q:
    """Entries of the trail that would tell a reviewer which requests are tests; and to an agent, that there are any."""
    if not reader.is_person:
        tests = ApprovalRequest.objects.filter(is_test=True)
        return Q(event__startswith="seeded_item.") | Q(object_id__in=tests.values("pk"))
    waiting = SeededItem.objects.waiting().filter(unit_id__in=review_units_of_person(reader))
    others = waiting.exclude(written_by_id__in=people.accounts_behind(reader))
    return Q(event__startswith="seeded_item.", object_id__in=others.values("pk"))
