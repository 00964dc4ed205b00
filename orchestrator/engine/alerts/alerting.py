"""One round of alerts: what a rule sees is opened or kept up to date, what it no longer sees is resolved, and owners are told.

Runs in the sweep, on the database's clock; of two sweepers one does it, the other leaves it. It acknowledges nothing.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from approvals.models.notice import NoticeKind
from approvals.notifying.notices import Asked, Subject, tell_of_alert
from audit import rounds
from audit.actors import Actor
from audit.lifecycle import born, move, note, run
from budgets.models import BusinessUnit
from budgets.units import lineage
from orchestrator.engine.alerts.drift_rules import DRIFT_RULES
from orchestrator.engine.alerts.lasting_rules import LASTING_RULES
from orchestrator.engine.alerts.rules import RULES, SLOW_RULES, Seen
from orchestrator.engine.claims import ENGINE
from orchestrator.models import Alert, Severity
from orchestrator.statuses import AlertStatus

LOOK_EVERY_SECONDS = 15
REMIND_AFTER = timedelta(hours=4)
SLOWLY_EVERY_SECONDS = 300
_TAKE = "SELECT pg_try_advisory_xact_lock(%s)"
QUICK, SLOW = 7004002, 7004003

logger = logging.getLogger(__name__)
Known = dict[tuple[str, str, UUID], Alert]


@transaction.atomic
def judge_all() -> int:
    """Every quick rule once, then reminders. Returns how many alerts moved. 0 also where another sweeper is at it."""
    if not run(_TAKE, [QUICK])[0][0]:
        return 0
    return sum(_judge(name, rule) for name, rule in (LASTING_RULES | RULES).items()) + rounds.attend(_remind)


@transaction.atomic
def judge_slowly() -> int:
    """Every rule that reads more than fits between two rounds. Returns the same."""
    if not run(_TAKE, [SLOW])[0][0]:
        return 0
    return sum(_judge(name, rule) for name, rule in (SLOW_RULES | DRIFT_RULES).items())


def _judge(name: str, rule: Callable[[], list[Seen]]) -> int:
    """A rule that fails resolves nothing: not known is not over."""
    try:
        with transaction.atomic():
            return _follow(name, {one.identity: one for one in rule()})
    except Exception:
        logger.exception("alerts: the rule %s could not be judged", name)
        return 0


def _follow(name: str, seen: Mapping[tuple[str, str, UUID], Seen]) -> int:
    known = _known(name, seen)
    moved = 0
    for identity, one in seen.items():
        alert = known.get(identity)
        if alert is None:
            _open(name, one)
        elif not alert.is_active:
            _open_again(name, alert, one)
        else:
            _keep_up(name, alert, one)
            continue
        moved += 1
    over = [alert for identity, alert in known.items() if alert.is_active and identity not in seen]
    for alert in over:
        _resolve(alert)
    return moved + len(over)


def _known(name: str, seen: Mapping[tuple[str, str, UUID], Seen]) -> Known:
    """Locked: a person who acts on one at this moment is waited for, and then seen."""
    rows = Alert.objects.select_for_update(no_key=True, of=["self"])
    # Also one that an older version saw by another rule: it is the same alert.
    kinds, subjects, units = ({identity[at] for identity in seen} for at in range(3))
    wanted = rows.filter(rule=name).active() | rows.filter(kind__in=kinds, subject__in=subjects, unit_id__in=units)
    return {(alert.kind, alert.subject, alert.unit_id): alert for alert in wanted.order_by("id")}


def _facts(name: str, one: Seen) -> dict[str, Any]:
    return {"rule": name, "title": one.title[:1000], "severity": one.severity, "detail": one.detail[:1000],
            "evidence": one.evidence, "count": one.count, "last_at": one.last_at}  # fmt: skip


def _open(name: str, one: Seen) -> None:
    unit = BusinessUnit.objects.get(pk=one.unit_id)
    registered = one.looks_up()
    owner = owner_of(registered.owner, one.unit_id)
    alert = Alert(
        kind=one.kind, subject=one.subject, unit_id=one.unit_id, unit_title=unit.title,
        first_at=one.first_at, owner_person_id=owner.person_id, owner_group_id=owner.group_id, owner_name=owner.name,
        runbook=registered.runbook, remind_at=Now() + REMIND_AFTER, **_facts(name, one),
    )  # fmt: skip
    born(alert, by=ENGINE, why=one.detail[:1000], data={"title": alert.title})
    tell(alert, _kind_of(alert))


def _open_again(name: str, alert: Alert, one: Seen) -> None:
    """The same alert, with nobody's acknowledgement. A mute that still runs is kept."""
    muted = _is_muted(alert)
    forgets: dict[str, Any] = {
        "acknowledged_by": None,
        "acknowledged_name": "",
        "acknowledged_at": None,
        "resolved_at": None,
    }
    again = alert.muted_until if muted else Now() + REMIND_AFTER
    move(alert, to=AlertStatus.OPEN, by=ENGINE, why=one.detail, data={"title": one.title},
         remind_at=again, **forgets, **_facts(name, one))  # fmt: skip
    if not muted:
        tell(alert, _kind_of(alert))


def _keep_up(name: str, alert: Alert, one: Seen) -> None:
    """Only what has changed is written: an observation is no event of the trail."""
    changed = {fact: value for fact, value in _facts(name, one).items() if getattr(alert, fact) != value}
    if changed:
        Alert.objects.filter(pk=alert.pk).update(**changed)


def _resolve(alert: Alert) -> None:
    muted = _is_muted(alert)
    move(alert, to=AlertStatus.RESOLVED, by=ENGINE, why="it is no longer seen", resolved_at=Now(), remind_at=None)
    if not muted:
        tell(alert, NoticeKind.ALERT_OVER)


def _remind() -> int:
    due = Alert.objects.select_for_update(no_key=True, of=["self"]).unheard().filter(remind_at__lte=Now())
    alerts = list(due.order_by("id")[:200])
    for alert in alerts:
        Alert.objects.filter(pk=alert.pk).update(remind_at=Now() + REMIND_AFTER)
        note(alert, "raised_alert.reminded", by=ENGINE)
        tell(alert, NoticeKind.ALERT_AGAIN)
    return len(alerts)


def tell_again(kind: str, subject: str, unit_id: UUID) -> None:
    """Whoever has acknowledged it asked to be reminded: of however many sends, once in a while, as of one that is open."""
    rows = Alert.objects.filter(status=AlertStatus.ACKNOWLEDGED, kind=kind, subject=subject, unit_id=unit_id)
    due = rows.filter(Q(remind_at=None) | Q(remind_at__lte=Now()))
    for alert in due:
        told = due.filter(pk=alert.pk).update(remind_at=Now() + REMIND_AFTER)
        if told and not _is_muted(alert):
            tell(alert, _kind_of(alert))


def _kind_of(alert: Alert) -> NoticeKind:
    return NoticeKind.ALERT_URGENT if alert.severity == Severity.CRITICAL else NoticeKind.ALERT


def _is_muted(alert: Alert) -> bool:
    return bool(Alert.objects.filter(pk=alert.pk, muted_until__gt=Now()).exists())


def tell(alert: Alert, kind: NoticeKind, *, by: Actor = ENGINE) -> None:
    """Put down that its owner has to be told."""
    about = Subject(
        unit_id=alert.unit_id, unit_title=alert.unit_title, title=alert.title, path=alert.get_absolute_url()
    )
    asked = Asked(person_id=alert.owner_person_id, group_id=alert.owner_group_id)
    tell_of_alert(kind, about, by=by, asked=asked)


@dataclass(frozen=True, slots=True)
class Owner:
    """One person, or one group, or nobody."""

    name: str = ""
    person_id: int | None = None
    group_id: int | None = None


def owner_of(registered: str, unit_id: UUID) -> Owner:
    """Whoever is registered for the component, if that is a person or group here; else the owner of the unit, or of one above."""
    users: Any = get_user_model().objects.filter(is_active=True)
    if registered:
        person = users.filter(username=registered).first()
        if person is not None:
            return Owner(registered, person_id=person.pk)
        group = Group.objects.filter(name=registered).first()
        if group is not None:
            return Owner(registered, group_id=group.pk)
    above = {unit.pk: unit for unit in BusinessUnit.objects.filter(pk__in=lineage(unit_id)).select_related("owner")}
    owners = [above[pk].owner for pk in lineage(unit_id)]
    found: Any = next((owner for owner in owners if owner is not None and owner.is_active), None)
    return Owner(found.get_username(), person_id=found.pk) if found is not None else Owner(registered)
