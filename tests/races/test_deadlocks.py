"""A migration locks two tables while work goes on, in the order that ends the work: nothing of it is lost, nothing done twice."""

import threading

import pytest
from django.db import connection, transaction

from audit.lifecycle import run
from orchestrator.engine.parking import settle_parked
from orchestrator.engine.retries import Failure
from orchestrator.engine.settle import light_success, settle_failure, settle_success
from orchestrator.engine.successes import write
from orchestrator.gate.propose import propose
from orchestrator.gate.redeem import redeem
from orchestrator.gate.report import report
from orchestrator.models import Action, Attempt, Step
from tests import make, worlds
from tests.races.racing import approve

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]

TRAIL = "audit_auditstream"


@pytest.fixture
def beside_a_migration():
    """Do the act while somebody has locked the trail, and locks `table` once the act waits for the trail."""

    def do(act, *, table):
        has_trail, raised = threading.Event(), []

        def migrate():
            try:
                with transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute("SET LOCAL deadlock_timeout = '1min'")
                    cursor.execute(f"LOCK TABLE {TRAIL} IN ACCESS EXCLUSIVE MODE")
                    has_trail.set()
                    once_the_act_waits(cursor)
                    cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            except Exception as error:
                raised.append(error)
            connection.close()

        migration = threading.Thread(target=migrate)
        migration.start()
        has_trail.wait()
        try:
            # Whoever waits looks once: by then the migration has to wait, too, also on a busy machine.
            run("SET deadlock_timeout = '3s'", [])
            found = act()
        finally:
            migration.join()
            run("RESET deadlock_timeout", [])
        # Had the migration been ended in its stead, nothing would be shown.
        assert raised == []
        return found

    def once_the_act_waits(cursor):
        def somebody_waits():
            cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
            return cursor.fetchone()[0]

        worlds.wait_until(somebody_waits)

    return do


class TestAForeignCall:
    @pytest.fixture
    def granted(self):
        world = worlds.world()
        request = worlds.request(world)
        approve(request, world.grace)()
        return Action.objects.get(pk=request.subject_id)

    def test_is_redeemed(self, granted, beside_a_migration):
        beside_a_migration(lambda: redeem(action_id=granted.pk, by=worlds.SETUP), table="orchestrator_action")
        assert Action.objects.get().status == "redeemed"

    def test_is_reported(self, granted, beside_a_migration):
        ticket = redeem(action_id=granted.pk, by=worlds.SETUP)
        beside_a_migration(
            lambda: report(action_id=granted.pk, fence=ticket.fence, outcome="success", by=worlds.SETUP, result={}),
            table="orchestrator_action",
        )
        assert Action.objects.get().status == "succeeded"

    def test_is_proposed_once(self, beside_a_migration):
        world = worlds.world()
        beside_a_migration(
            lambda: propose(tool="pay", arguments={"amount": 7}, agent="clerk", unit_id=world.unit.pk, by=worlds.SETUP),
            table="orchestrator_action",
        )
        assert Action.objects.count() == 1


class TestAStep:
    @pytest.fixture
    def segment(self):
        return make.claimed(make.execution())

    @pytest.fixture
    def ended_as(self, segment):
        def found():
            attempt = Attempt.objects.get(pk=segment.fence)
            return attempt.status, Step.objects.get(pk=segment.step_id).status

        return found

    def test_that_succeeded_is_settled(self, segment, ended_as, beside_a_migration):
        beside_a_migration(
            lambda: settle_success(segment, input={}, output={"rows": 3}), table="orchestrator_execution"
        )
        assert ended_as() == ("succeeded", "success")

    def test_that_succeeded_is_written_with_others(self, segment, ended_as, beside_a_migration):
        success = light_success(segment, input={}, output={"rows": 3})
        beside_a_migration(lambda: write([success]), table="orchestrator_execution")
        assert ended_as() == ("succeeded", "success")

    def test_that_failed_is_settled(self, segment, ended_as, beside_a_migration):
        beside_a_migration(
            lambda: settle_failure(segment, Failure("business", "no such month")), table="orchestrator_execution"
        )
        assert ended_as() == ("failed", "business_error")

    def test_that_waits_is_parked(self, segment, ended_as, beside_a_migration):
        beside_a_migration(
            lambda: settle_parked(segment, to="stopped", why="stopped by a person", input={}),
            table="orchestrator_execution",
        )
        assert ended_as() == ("parked", "stopped")
