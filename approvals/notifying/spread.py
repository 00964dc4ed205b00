"""Whom does a notice concern? One delivery for each of them, once, however often this is repeated."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from approvals import groups
from approvals.administrators import administrators
from approvals.models import Absence, ApprovalRequest, Delegation
from approvals.models.notice import (
    ABOUT_WAITING,
    Delivery,
    Notice,
    NoticeKind,
    NotificationChoice,
    WebhookEndpoint,
)
from approvals.notifying.pace import told_at
from approvals.standing import right_of
from audit import actors, people
from audit.lifecycle import database_now
from budgets.permissions import people_with
from budgets.units import lineage

BATCH = 50


@transaction.atomic
def spread() -> int:
    """Write the deliveries of what has happened since. Several workers may do it at once."""
    fresh = Notice.objects.select_for_update(skip_locked=True, of=("self",)).filter(spread_at=None)
    notices = list(fresh.select_related("request").order_by("id")[:BATCH])
    now = database_now() if notices else None
    for notice in notices:
        assert now is not None
        Delivery.objects.bulk_create([*_mails(notice, now), *_calls(notice, now)], ignore_conflicts=True)
    Notice.objects.filter(pk__in=[notice.pk for notice in notices]).update(spread_at=Now())
    return len(notices)


def _mails(notice: Notice, now: datetime) -> list[Delivery]:
    users: Any = get_user_model().objects
    able = list(users.filter(pk__in=concerned(notice), is_active=True).exclude(email="").values_list("pk", flat=True))
    choices = NotificationChoice.objects.in_bulk(able)
    moments = {pk: told_at(choices.get(pk), notice.kind, now) for pk in able}
    return [Delivery(notice=notice, person_id=pk, due_at=due) for pk, due in moments.items() if due is not None]


def _calls(notice: Notice, now: datetime) -> list[Delivery]:
    if notice.request and notice.request.is_test and notice.kind == NoticeKind.DECIDED:
        return []  # no system waits for it
    here = Q(unit_id=None) | Q(unit_id__in=lineage(notice.unit_id) if notice.unit_id else [])
    endpoints = WebhookEndpoint.objects.filter(here, enabled=True)
    return [Delivery(notice=notice, endpoint=endpoint, due_at=now) for endpoint in endpoints]


def concerned(notice: Notice) -> set[int]:
    """Ids of the people; whoever did it knows already."""
    request = notice.request
    if notice.kind == NoticeKind.DECIDED:
        told = _ids([request.requester]) if request and not request.is_test else set()
    elif notice.kind == NoticeKind.EMERGENCY:
        told = people_with("review", notice.unit_id) | set(administrators())
    elif notice.kind == NoticeKind.DISAGREED:
        told = _asked(notice) if notice.asks_by_name else _responsible(notice)
    elif notice.kind in ABOUT_WAITING:
        told = (_asked(notice) if notice.asks_by_name else _signers(notice)) - _cannot_sign(request)
    else:
        told = people_with("review", notice.unit_id) | people_with("operate", notice.unit_id)
        told |= set(administrators()) if notice.unit_id is None else set()
    return told - _ids([notice.by])


def _responsible(notice: Notice) -> set[int]:
    """Administrators who may look into the unit; where there are none, its auditors."""
    return set(administrators()) & people_with("view", notice.unit_id) or people_with("audit", notice.unit_id)


def _signers(notice: Notice) -> set[int]:
    """By a role of their own, or by one that was lent to them and reaches this request."""
    request = notice.request
    lent = Delegation.objects.running().values_list("delegate_id", "delegate_name") if request else []
    reached = {pk for pk, name in lent if request and right_of(request, actors.person(pk, name))}
    return people_with("review", notice.unit_id) | reached


def _asked(notice: Notice) -> set[int]:
    """Who was asked by name, as far as they may look into the unit; for whoever is away, their stand-in."""
    asked = {notice.asked_person_id} if notice.asked_person_id else set()
    if notice.asked_group_id:
        users: Any = get_user_model().objects
        asked = set(users.filter(groups=notice.asked_group_id).values_list("pk", flat=True))
    if notice.asked_reviewers:
        asked = set(groups.in_force([notice.asked_reviewers]).members.get(notice.asked_reviewers, ()))
    away = Absence.objects.running().filter(person_id__in=asked, stand_in__isnull=False)
    stand_ins = dict(away.order_by("away_until").values_list("person_id", "stand_in_id"))
    return {stand_ins.get(pk, pk) for pk in asked} & people_with("view", notice.unit_id)


def _cannot_sign(request: ApprovalRequest | None) -> set[int]:
    if request is None:
        return set()
    voices = request.decisions.filter(revision=request.revision).values_list("person_id", "for_person_id")
    signed = {pk for voice in voices for pk in voice if pk}
    out = signed | _ids([request.requester, *request.excluded])
    return out.union(*(people.accounts_of(pk) for pk in out))


def _ids(keys: Iterable[str]) -> set[int]:
    return {int(key.removeprefix("user:")) for key in keys if key.startswith("user:")}
