"""Several sweeps at the same instant, and a decision between them: every step is taken once."""

import pytest
from django.db import connection

from approvals.models import Escalation
from approvals.operations.escalation import escalate_due
from audit.actors import system
from audit.models import AuditEvent
from tests import worlds as make
from tests.races.racing import approve, assert_one_outcome, race, races

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(300)]


def due(*requests):
    """Half of their time is over, by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE approvals_approvalrequest SET created_at = clock_timestamp() - interval '95 minutes',"
            " decide_by = clock_timestamp() + interval '5 minutes', next_notice_at = clock_timestamp() WHERE id = ANY(%s)",
            [[request.pk for request in requests]],
        )


def sweep():
    escalate_due(by=system("test"))


class TestSweeps:
    def test_four_at_once_take_each_step_once(self):
        world = make.world()
        for _ in races(25):
            requests = [make.request(world) for _ in range(5)]
            due(*requests)
            assert race(sweep, sweep, sweep, sweep) == [None] * 4
            sweep()  # what one of them skipped because another held it
            assert Escalation.objects.filter(request__in=requests).count() == 10
            keys = [request.pk for request in requests]
            assert AuditEvent.objects.filter(object_id__in=keys, event="approval_request.reminded").count() == 10

    def test_against_a_decision_neither_breaks_the_other(self):
        world = make.world()
        for _ in races(50):
            request = make.request(world)
            due(request)
            outcomes = race(approve(request, world.grace), sweep)
            assert_one_outcome(request, outcomes)
            assert Escalation.objects.filter(request=request).count() in {0, 2}
