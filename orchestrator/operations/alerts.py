"""What people do with an alert: say that they know, hand it to somebody, keep it quiet for a while. None of it makes it over."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models.functions import Now

from approvals.models.notice import NoticeKind
from audit.actors import Actor
from audit.lifecycle import database_now, move, note
from audit.queries import visible_or_refuse
from audit.refusals import Invalid, Stale, refuse_blank
from budgets.permissions import people_with
from orchestrator.engine.alerts.alerting import tell
from orchestrator.models import Alert
from orchestrator.operations.executions import refuse_unless_a_person_operates
from orchestrator.statuses import AlertStatus

LONGEST_MUTE = timedelta(days=7)


@transaction.atomic
def acknowledge(*, alert_id: UUID, by: Actor, why: str) -> Alert:
    """Say that one knows of it, and what one does about it. Reminders end. Raises NotVisible, Forbidden, Invalid, Stale."""
    alert = _locked(alert_id, by)
    refuse_blank(why, "Say what you do about it.")
    if alert.status != AlertStatus.OPEN:
        raise Stale(f"This alert is {alert.status} already.")
    mine: dict[str, Any] = {"acknowledged_by_id": by.user_id, "acknowledged_name": by.name, "acknowledged_at": Now()}
    move(alert, to=AlertStatus.ACKNOWLEDGED, by=by, why=why, remind_at=None, **mine)
    return alert


@transaction.atomic
def hand_over(*, alert_id: UUID, by: Actor, to: str, why: str) -> Alert:
    """Give it to another person ("person:<id>") or group ("group:<id>"), who is told at their pace.

    Raises NotVisible, Forbidden, Invalid, Stale.
    """
    alert = _active(alert_id, by)
    refuse_blank(why, "Say why it is theirs.")
    owner = dict(candidates(alert.unit_id)).get(to)
    if owner is None:
        raise Invalid("To whom?", errors=[("/to", "unknown", "Choose somebody who may look into the unit.")])
    kind, _, number = to.partition(":")
    person, group = (int(number), None) if kind == "person" else (None, int(number))
    Alert.objects.filter(pk=alert_id).update(owner_person_id=person, owner_group_id=group, owner_name=owner)
    note(alert, "raised_alert.handed_over", by=by, why=why, data={"owner": owner})
    alert.refresh_from_db()
    tell(alert, NoticeKind.ALERT, by=by)
    return alert


@transaction.atomic
def mute(*, alert_id: UUID, by: Actor, until: datetime, why: str) -> Alert:
    """Tell nobody of it until then; a week at most. It stays on every list. Raises NotVisible, Forbidden, Invalid, Stale."""
    alert = _active(alert_id, by)
    refuse_blank(why, "Say why nobody has to hear of it.")
    now = database_now()
    if not now < until <= now + LONGEST_MUTE:
        raise Invalid("Until when?", errors=[("/until", "out_of_range", "Choose a time within the next seven days.")])
    remind = {"remind_at": until} if alert.status == AlertStatus.OPEN else {}
    Alert.objects.filter(pk=alert_id).update(muted_until=until, **remind)
    note(alert, "raised_alert.muted", by=by, why=why, data={"until": until.isoformat(timespec="minutes")})
    alert.refresh_from_db()
    return alert


@transaction.atomic
def unmute(*, alert_id: UUID, by: Actor) -> Alert:
    """Let it be told again; one that is open is told in the next round. Raises NotVisible, Forbidden, Stale."""
    alert = _locked(alert_id, by)
    if alert.muted_until is None or alert.muted_until <= database_now():
        raise Stale("This alert is not muted.")
    remind = {"remind_at": Now()} if alert.status == AlertStatus.OPEN else {}
    Alert.objects.filter(pk=alert_id).update(muted_until=None, **remind)
    note(alert, "raised_alert.unmuted", by=by)
    alert.refresh_from_db()
    return alert


def candidates(unit_id: UUID) -> list[tuple[str, str]]:
    """Whom an alert of the unit can be given: people who may look into it, and groups with one of them. By name."""
    seeing = people_with("view", unit_id)
    users: Any = get_user_model().objects
    people = users.filter(pk__in=seeing).order_by("username").values_list("pk", "username")[:200]
    groups = Group.objects.filter(user__in=seeing).distinct().order_by("name").values_list("pk", "name")[:200]
    return [
        *((f"person:{pk}", name) for pk, name in people),
        *((f"group:{pk}", name) for pk, name in groups),
    ]


def _locked(alert_id: UUID, by: Actor) -> Alert:
    rows = Alert.objects.visible_to(by).select_for_update(no_key=True, of=["self"])
    alert: Alert = visible_or_refuse(rows, alert_id, "alert")
    refuse_unless_a_person_operates(by, alert.unit_id, alert.unit_title, else_say="Only people answer alerts.")
    return alert


def _active(alert_id: UUID, by: Actor) -> Alert:
    alert = _locked(alert_id, by)
    if not alert.is_active:
        raise Stale("This alert is over.")
    return alert
