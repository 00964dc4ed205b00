"""Hosts judge the same groups of failures at the same instant: each is moved once, and nobody fails over it."""

import pytest
from django.db import connection

from audit.models import AuditEvent
from orchestrator.engine.dead_letters import triage
from orchestrator.models import FailureGroup
from tests import make
from tests.races.racing import race, races

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(120)]
CAUSES = [
    "The account is closed",
    "No such cost centre",
    "The period is over",
    "The ledger is locked",
    "Not a booking day",
]


def test_is_moved_once(caplog):
    unit = make.unit("finance", "Finance")
    for number in races(20, at_least=3):
        for cause in CAUSES:
            make.letter(f"{cause} in {'abcdefghijklmnopqrst'[number]}", of=unit)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE orchestrator_failuregroup SET first_at = first_at - interval '25 hours'")

        assert race(triage.judge_all, triage.judge_all, triage.judge_all) == [None] * 3

    groups = FailureGroup.objects.all()
    assert {group.status for group in groups} == {"ongoing"}
    assert AuditEvent.objects.filter(event="failure_group.ongoing").count() == len(groups)
    assert "could not be healed" not in caplog.text
