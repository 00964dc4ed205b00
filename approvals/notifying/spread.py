"""Whom does a notice concern? One delivery for each of them, once, however often this is repeated."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, get_args
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models.functions import Now

from approvals.models import Absence, ApprovalRequest
from approvals.models.notice import (
    ABOUT_WAITING,
    ALERTS,
    Delivery,
    Notice,
    NoticeKind,
    NotificationChoice,
    WebhookEndpoint,
)
from approvals.notifying.known import Known
from approvals.notifying.pace import told_at
from approvals.rules import groups
from approvals.rules.standing import right_of
from audit import actors
from audit.lifecycle import database_now
from audit.scope import Permission
from budgets.units import below

BATCH = 50
STOPS = {NoticeKind.STOPPED, NoticeKind.LIFTED}
# Whose work it is that stands still.
WORKERS: tuple[Permission, ...] = ("review", "operate")


@transaction.atomic
def spread() -> int:
    """Write the deliveries of what has happened since. Several workers may do it at once."""
    fresh = Notice.objects.select_for_update(skip_locked=True, of=("self",)).filter(spread_at=None)
    notices = list(fresh.select_related("request").order_by("id")[:BATCH])
    if not notices:
        return 0
    known = Known(notices)
    told = {notice.pk: concerned(notice, known) for notice in notices}
    mails = _mails(notices, told, database_now())
    calls = [call for notice in notices for call in _calls(notice, known)]
    Delivery.objects.bulk_create([*mails, *calls], ignore_conflicts=True)
    Notice.objects.filter(pk__in=list(told)).update(spread_at=Now())
    return len(notices)


def _mails(notices: list[Notice], told: dict[UUID, set[int]], now: datetime) -> list[Delivery]:
    users: Any = get_user_model().objects
    everybody = users.filter(pk__in=set[int]().union(*told.values()), is_active=True).exclude(email="")
    able = set(everybody.values_list("pk", flat=True))
    choices = NotificationChoice.objects.in_bulk(able)
    moments = [
        (notice, pk, told_at(choices.get(pk), notice.kind, now)) for notice in notices for pk in told[notice.pk] & able
    ]
    return [Delivery(notice=notice, person_id=pk, due_at=due) for notice, pk, due in moments if due is not None]


def _calls(notice: Notice, known: Known) -> list[Delivery]:
    if notice.request and notice.request.is_test and notice.kind == NoticeKind.DECIDED:
        return []  # no system waits for it
    return [
        Delivery(notice=notice, endpoint=endpoint, due_at=Now())
        for endpoint in known.endpoints
        if hears(endpoint, notice, known)
    ]


def hears(endpoint: WebhookEndpoint, notice: Notice, known: Known) -> bool:
    """Of its unit and those below; of a stop also below its own. It may have been given another unit since it happened."""
    if notice.kind in STOPS and notice.unit_id is None:
        return True
    above = known.lineage(notice.unit_id) if notice.unit_id else []
    return endpoint.unit_id is None or endpoint.unit_id in above or endpoint.unit_id in _under(notice)


def _under(notice: Notice) -> frozenset[UUID]:
    """A stop covers the units below its own as well: their work stands still, so they are told."""
    return below(notice.unit_id) if notice.kind in STOPS and notice.unit_id else frozenset()


def concerned(notice: Notice, known: Known | None = None) -> set[int]:
    """Ids of the people; whoever did it knows already."""
    request, known = notice.request, known or Known([notice])
    if notice.kind == NoticeKind.DECIDED:
        askers = _ids([request.requester]) if request and not request.is_test else set()
        told = askers & known.people_with("view", notice.unit_id)
    elif notice.kind == NoticeKind.EMERGENCY:
        told = known.people_with("review", notice.unit_id) | known.responsible(notice.unit_id)
    elif notice.kind == NoticeKind.DISAGREED:
        # A group that was retired, or may not look there, is nobody to tell.
        told = _asked(notice, known) or known.responsible(notice.unit_id)
    elif notice.kind in ABOUT_WAITING:
        told = (_asked(notice, known) if notice.asks_by_name else _signers(notice, known)) - _cannot_sign(
            request, known
        )
    elif notice.kind in ALERTS:
        told = _asked(notice, known) or known.people_with("operate", notice.unit_id)
    else:
        units = {notice.unit_id, *_under(notice)}
        told = {pk for unit in units for role in WORKERS for pk in known.people_with(role, unit)}
        told |= known.administrators if notice.unit_id is None else set()
    return told - _ids([notice.by])


def is_still_theirs(notice: Notice, person_id: int, known: Known) -> bool:
    """Between what happened and its message lie a night, a digest or a mail server that is down: roles are lost meanwhile.

    Who else would be told by now is not asked: they were told, or somebody who stood in for them was.
    """
    if notice.kind in ABOUT_WAITING and person_id in _cannot_sign(notice.request, known):
        return False
    if notice.unit_id is None:
        return True
    units = [notice.unit_id, *_under(notice)]
    if any(person_id in known.people_with(role, unit) for role in get_args(Permission) for unit in units):
        return True
    return notice.request is not None and person_id in _signers(notice, known)


def _signers(notice: Notice, known: Known) -> set[int]:
    """By a role of their own, or by one that was lent to them and reaches this request."""
    request = notice.request
    lent = known.delegates if request else []
    reached = {pk for pk, name in lent if request and right_of(request, actors.person(pk, name))}
    return known.people_with("review", notice.unit_id) | reached


def _asked(notice: Notice, known: Known) -> set[int]:
    """Who was asked by name; for whoever is away, their stand-in: as far as these may look into the unit."""
    asked = {notice.asked_person_id} if notice.asked_person_id else set()
    if notice.asked_group_id:
        users: Any = get_user_model().objects
        asked = set(users.filter(groups=notice.asked_group_id).values_list("pk", flat=True))
    if notice.asked_reviewers:
        asked = set(groups.in_force([notice.asked_reviewers]).members.get(notice.asked_reviewers, ()))
    away = Absence.objects.in_force().filter(person_id__in=asked)
    stand_ins = dict(away.values_list("person_id", "stand_in_id"))
    able = known.people_with("view", notice.unit_id)
    return {stand_ins[pk] if stand_ins.get(pk) in able else pk for pk in asked} & able


def _cannot_sign(request: ApprovalRequest | None, known: Known) -> set[int]:
    if request is None:
        return set()
    out = known.signers_of(request) | _ids([request.requester, *request.excluded])
    return out.union(*(known.accounts_of(pk) for pk in out))


def _ids(keys: Iterable[str]) -> set[int]:
    return {int(key.removeprefix("user:")) for key in keys if key.startswith("user:")}
