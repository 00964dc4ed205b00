"""Two sweepers see the same thing at the same instant: one alert, one notice."""

import pytest

from approvals.models import Notice
from audit import events
from audit.actors import system
from audit.ids import new_id
from audit.models import AuditEvent
from orchestrator.engine.alerts.alerting import judge_all
from orchestrator.models import Alert
from tests import make
from tests.races.racing import race

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(120)]


def test_is_opened_told_and_reminded_of_once(caplog):
    unit = make.unit("finance", "Finance")
    for _ in range(20):
        pk = new_id()
        events.record("alert.pager", by=system("b"), stream=f"pager:{pk}", object_id=pk, unit_id=unit.pk, why="80 %")
        assert race(judge_all, judge_all, judge_all) == [None, None, None]
    assert (
        Alert.objects.count()
        == Notice.objects.count()
        == AuditEvent.objects.filter(event="raised_alert.open").count()
        == 20
    )

    for alert in Alert.objects.all():
        make.later("orchestrator_alert", "remind_at", alert.pk, 5 * 3600)
    assert race(judge_all, judge_all, judge_all) == [None, None, None]

    assert AuditEvent.objects.filter(event="raised_alert.reminded").count() == 20
    assert Notice.objects.filter(kind="alert_again").count() == 20
    # The constraints would have saved us from two; nobody even tried.
    assert "could not be judged" not in caplog.text
