"""Two people, or a person and a clock, at the same instant: exactly one outcome, and the loser is told."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from approvals import operations as approvals
from approvals.models import ApprovalRequest, Decision
from audit.actors import system
from audit.refusals import Refusal
from orchestrator.engine.sweep import sweep
from orchestrator.gate.locks import lock_action, lock_execution
from orchestrator.gate.propose import propose
from orchestrator.gate.reconcile import mark_unknown
from orchestrator.gate.redeem import redeem
from orchestrator.gate.report import report
from orchestrator.gate.withdraw import withdraw
from orchestrator.models import Action
from orchestrator.operations import executions
from tests import worlds as make
from tests.races.racing import approve, assert_one_outcome, endings_of, race, races, reject

RACES = 60

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


class TestRaces:
    def test_approve_against_approve_records_two_voices_or_one_and_resolves_once(self):
        world = make.world()
        for _ in races(RACES):
            request = make.request(world)
            outcomes = race(approve(request, world.grace), approve(request, world.linus))
            assert_one_outcome(request, outcomes)
            assert Decision.objects.filter(request=request).count() == 1

    def test_the_same_person_twice_is_one_voice(self):
        world = make.world()
        for _ in races(RACES):
            request = make.request(world, tool="wire")
            race(approve(request, world.grace), approve(request, world.grace))
            request.refresh_from_db()
            assert request.status == "pending"
            assert Decision.objects.filter(request=request).count() == 1

    def test_approve_against_reject_ends_one_way(self):
        world = make.world()
        for _ in races(RACES):
            request = make.request(world)
            outcomes = race(approve(request, world.grace), reject(request, world.linus))
            assert_one_outcome(request, outcomes)
            assert sum(outcome is None for outcome in outcomes) == 1

    def test_the_last_signature_against_the_first_signers_no_ends_one_way(self):
        world = make.world()
        for _ in races(RACES):
            request = make.request(world, tool="wire")
            approve(request, world.grace)()
            outcomes = race(approve(request, world.linus), reject(request, world.grace))
            assert_one_outcome(request, outcomes)
            assert sum(outcome is None for outcome in outcomes) == 1
            request.refresh_from_db()
            said = [(voice.person_name, voice.verdict) for voice in request.decisions.order_by("at")]
            last = ("linus", "approve") if request.status == "approved" else ("grace", "reject")
            assert said == [("grace", "approve"), last]

    def test_approve_against_withdraw_ends_one_way(self):
        world = make.world()
        for _ in races(RACES):
            request = make.request(world)
            outcomes = race(
                approve(request, world.grace),
                lambda request=request: withdraw(action_id=request.subject_id, by=system("test"), why="race"),
            )
            unexpected = [outcome for outcome in outcomes if outcome is not None and not isinstance(outcome, Refusal)]
            assert unexpected == []
            request.refresh_from_db()
            assert request.status == "withdrawn"
            assert Action.objects.get(pk=request.subject_id).status == "withdrawn"

    def test_approve_against_expire_ends_one_way(self):
        world = make.world()
        for number in races(RACES):
            request = make.request(world)
            # The time to decide ends while both are at the door: a few milliseconds either side.
            ApprovalRequest.objects.filter(pk=request.pk).update(decide_by=Now() + timedelta(milliseconds=number % 8))
            outcomes = race(approve(request, world.grace), lambda: approvals.expire_overdue(by=system("test")))
            approvals.expire_overdue(by=system("test"))
            make.wait_until(lambda request=request: approvals.expire_overdue(by=system("test")) or endings_of(request))
            assert_one_outcome(request, outcomes)

    def test_approve_against_cancel_ends_one_way_and_sends_nothing_after_the_cancel(self, tmp_path):
        world = make.world()
        make.publish(tmp_path / "paying", make.PAY_WORKFLOW, make.HANDLERS)
        for _ in races(RACES):
            execution, request = make.held_execution(world)
            outcomes = race(
                approve(request, world.grace),
                lambda execution=execution: executions.cancel(execution_id=execution.pk, by=world.ada, why="race"),
            )
            unexpected = [outcome for outcome in outcomes if outcome is not None and not isinstance(outcome, Refusal)]
            assert unexpected == []
            execution.refresh_from_db()
            assert execution.status == "cancelled"
            assert Action.objects.get(pk=request.subject_id).status == "withdrawn"
            assert {step.status for step in execution.steps.all()} <= {"success", "cancelled", "skipped"}


class TestWhatIsAskedWhileItsExecutionEnds:
    """The cancellation has withdrawn all requests there were, and waits for the execution, in which another one is opened."""

    @pytest.fixture
    def in_between(self, tmp_path):
        world = make.world()
        make.publish(tmp_path / "paying", make.PAY_WORKFLOW, make.HANDLERS)

        def in_between(act):
            execution = make.start(world, "paying", amount=next(make.NUMBERS))
            cancelling = threading.Thread(target=self._cancel, args=(execution, world.ada))
            with transaction.atomic():
                lock_execution(execution.pk)
                cancelling.start()
                make.wait_until(_somebody_waits)
                act(world, execution)
            cancelling.join()
            execution.refresh_from_db()
            assert execution.status == "cancelled"
            return ApprovalRequest.objects.get(status="pending")

        return in_between

    def _cancel(self, execution, by):
        executions.cancel(execution_id=execution.pk, by=by, why="race")
        connection.close()

    def test_of_ours_is_asked_no_more_when_the_sweep_has_come(self, in_between):
        request = in_between(lambda world, execution: make.work())

        sweep()

        request.refresh_from_db()
        assert request.status == "withdrawn"

    def test_of_a_foreign_agent_is_asked_no_more_when_the_sweep_has_come(self, in_between):
        request = in_between(
            lambda world, execution: propose(
                tool="pay", arguments={"amount": next(make.NUMBERS)}, agent="clerk", unit_id=world.unit.pk, by=make.SETUP,
                execution_id=execution.pk,
            )
        )  # fmt: skip

        sweep()

        request.refresh_from_db()
        assert (Action.objects.get(pk=request.subject_id).status, request.status) == ("withdrawn", "withdrawn")


class TestAReportAndTheDoubtAboutItsSend:
    def test_at_the_same_instant_leave_what_was_reported(self):
        """The report comes an hour late, while the sweep gives the send up: it has seen it unreported, and waits for it."""
        world = make.world()
        request = make.request(world)
        approve(request, world.grace)()
        ticket = redeem(action_id=request.subject_id, by=make.SETUP)
        raised = []

        def give_up():
            try:
                mark_unknown(fence=ticket.fence, by=make.SETUP, why="no report came")
            except Exception as error:
                raised.append(error)
            connection.close()

        doubting = threading.Thread(target=give_up)
        with transaction.atomic():
            lock_action(request.subject_id)
            doubting.start()
            make.wait_until(_somebody_waits)
            report(action_id=request.subject_id, fence=ticket.fence, outcome="success", by=make.SETUP, result={})
        doubting.join()

        assert (raised, Action.objects.get(pk=request.subject_id).status) == ([], "succeeded")


def _somebody_waits():
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
        return cursor.fetchone()[0]
