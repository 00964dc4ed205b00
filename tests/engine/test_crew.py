"""The threads of one worker process: many claims at a time, settled together, none of them in the others' way."""

import tempfile
import threading
from contextlib import contextmanager
from socket import gethostname

import pytest
from django.db import OperationalError, connection, connections, transaction

from audit.ids import new_id
from audit.lifecycle import database_now, run
from audit.models import AuditEvent
from audit.refusals import Stale
from orchestrator.engine import successes, together
from orchestrator.engine.broker import HOST, StepBroker
from orchestrator.engine.claims import claim_due, held_by
from orchestrator.engine.released import released
from orchestrator.engine.runners import workshop
from orchestrator.engine.segment import begin_all
from orchestrator.engine.sweep import sweep
from orchestrator.engine.workers import crew
from orchestrator.engine.workers.crew import Crew
from orchestrator.models import Action, Attempt, Execution, Release
from tests import trail
from tests import worlds as make
from tests.engine.driving import lapse, timers_come_due
from tests.worlds import wait_until

CHAIN = """
workflow: three_looks
version: 1.0.0
steps:
  - first: {tool: look}
  - second: {tool: look, needs: [first]}
  - third: {tool: look, needs: [second]}
"""

CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid <> pg_backend_pid() AND datname = %s AND backend_type = 'client backend'"
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hands(world, publish):
    """A worker's hands; its threads and their connections are gone when the test is over."""
    trail.install()
    publish(CHAIN)
    together.open_line()
    made = Crew(4)
    yield made
    made.close()
    together.close_line()
    trail.assert_whole()


def started(world, number):
    return [make.start(world, "three_looks") for _ in range(number)]


def claims(number):
    return [claim.fence for claim in claim_due(limit=number, worker="one")]


class TestTheHands:
    @pytest.mark.slow
    def test_run_everything_they_are_given_to_its_end(self, world, hands):
        given = started(world, 30)

        while fences := claims(30):
            hands.take(fences)
        hands.close()

        for execution in given:
            execution.refresh_from_db()
            assert execution.status == "succeeded"
            ended = Attempt.objects.filter(execution_id=execution.pk).exclude(status="released")
            assert [attempt.status for attempt in ended] == ["succeeded"] * 3

    def test_give_back_what_no_hand_gets_free_for(self, world, hands, all_hold):
        """Behind steps that take long nothing waits that another worker could do; it keeps its place in the queue."""
        started(world, 6)
        fences = claims(6)
        with all_hold(4):
            giver = threading.Thread(target=_take, args=[hands, fences])
            giver.start()
            wait_until(lambda: Attempt.objects.filter(status="released").count() == 2)
            assert Attempt.objects.filter(status="running").exclude(started_at=None).count() == 4
            assert giver.is_alive()  # no next package before a hand is free
        giver.join(20)
        assert not giver.is_alive()
        assert set(claims(6))
        assert Attempt.objects.filter(number=2).count() == 2

    def test_are_all_free_after_a_crash_that_forgot_what_was_claimed(self, world, hands):
        """Claiming does not wait for the disk, so a package may outlive the claims in it."""
        started(world, 4)
        with transaction.atomic():
            forgotten = claims(4)
            transaction.set_rollback(True)
        with pytest.raises(OperationalError):
            run("SELECT pg_terminate_backend(pg_backend_pid())", [])

        hands.take(forgotten)
        hands.take(claims(4))

        wait_until(lambda: Attempt.objects.filter(status="succeeded").count() == 4 * 3)
        wait_until(lambda: hands._free == 4)

    def test_go_on_with_the_others_when_one_release_cannot_be_loaded(self, world, hands, publish):
        """A workflow written by a newer version than this worker's."""
        known = make.start(world, "three_looks")
        publish(CHAIN.replace("three_looks", "three_more"))
        other = make.start(world, "three_more")
        released.cache_clear()
        released(known.release_id)
        written_by_a_newer_version(other.release_id)

        hands.take(claims(2))

        wait_until(lambda: Execution.objects.filter(status="succeeded").count() == 1)
        wait_until(lambda: hands._free == 4)
        wait_until(lambda: Attempt.objects.get(execution_id=other.pk).status == "released")
        step = other.steps.get(key="first")
        assert (step.status, step.tries) == ("pending", 0)
        assert 50 < (step.due_at - database_now()).total_seconds() <= 60
        told = AuditEvent.objects.get(event="alert.cannot_start")
        assert (told.object_id, told.unit_id) == (step.pk, other.unit_id)
        assert gethostname() in told.why


class TestAHostThatCanStartNoRunner:
    def test_puts_its_steps_off_and_uses_up_none_of_their_tries(self, world, hands, monkeypatch, tmp_path):
        """A full disk: everything the host claimed was a dead letter within seconds."""
        execution = make.start(world, "three_looks")
        workshop.close_pool()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))

        hands.take(claims(1))

        wait_until(lambda: Attempt.objects.get().status == "released")
        step = execution.steps.get(key="first")
        assert (step.status, step.tries) == ("pending", 0)
        assert 50 < (step.due_at - database_now()).total_seconds() <= 60
        told = AuditEvent.objects.get(event="alert.cannot_start")
        assert told.why.startswith(f"the host {gethostname()} can start no runner: ")
        assert not Action.objects.exists()

        monkeypatch.undo()
        run("UPDATE orchestrator_step SET due_at = clock_timestamp() WHERE id = %s RETURNING id", [step.pk])
        hands.take(claims(1))

        wait_until(lambda: Execution.objects.get().status == "succeeded")
        workshop.close_pool()


def written_by_a_newer_version(release_id):
    """Its spec says what this version has no word for. Releases never change, so the trigger that keeps them is off for it."""
    table = Release._meta.db_table
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        bundle = Release.objects.get(pk=release_id).bundle
        bundle["spec"]["steps"][0]["colour"] = "green"
        Release.objects.filter(pk=release_id).update(bundle=bundle)
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


class TestAHost:
    def test_claims_no_more_than_it_has_hands_for(self, world, hands, settings):
        settings.WORKERS, settings.HANDS = 1, 2
        started(world, 6)
        broker = StepBroker()

        packages = broker.dequeue()

        assert len(packages) == 1
        assert held_by(HOST) == 2
        assert broker._claim() == []


@pytest.fixture
def all_hold(monkeypatch):
    """A block in which so many hands hold what they were given, and longer than anybody waits for."""

    @contextmanager
    def holding(number):
        go_on, held = threading.Event(), threading.Semaphore(0)

        def hold(segment):
            held.release()
            assert go_on.wait(20)
            return None, None

        monkeypatch.setattr(crew, "run", hold)
        try:
            yield
        finally:
            for _ in range(number):
                assert held.acquire(timeout=20)
            go_on.set()

    return holding


def _take(hands, fences):
    try:
        hands.take(fences)
    finally:
        connections.close_all()


class TestSettlingTogether:
    def test_a_lost_lease_takes_nobody_with_it(self, world, hands):
        """Of three that are settled in one statement, one has lost its fence meanwhile."""
        given = started(world, 3)
        segments = begin_all(claims(3))
        lost = segments[1]
        lapse(lost.fence)
        sweep()

        outcomes = together.write_together([_success(segment) for segment in segments], successes.write)

        assert [type(outcome).__name__ for outcome in outcomes] == ["NoneType", "Stale", "NoneType"]
        by_execution = {segment.execution.pk: segment for segment in segments}
        for execution in given:
            first = execution.steps.get(key="first")
            expected = "success" if by_execution[execution.pk] is not lost else "scheduled"
            assert first.status == expected

    def test_writes_nothing_when_a_guard_fails(self, world, hands):
        started(world, 2)
        segments = begin_all(claims(2))
        lapse(segments[0].fence)
        sweep()

        with pytest.raises(Stale):
            successes.write([_success(segment) for segment in segments])

        assert Attempt.objects.get(pk=segments[1].fence).status == "running"

    def test_survives_that_its_connection_is_cut(self, world, hands):
        given = started(world, 2)
        hands.take(claims(1))
        hands.close()
        run(CUT, [connection.settings_dict["NAME"]])

        _hand_over(claims(1))
        lapse(Attempt.objects.get(status="running").pk)
        sweep()
        timers_come_due()
        _hand_over(claims(1))

        assert {_status(execution) for execution in given} == {"succeeded"}


def _hand_over(fences):
    again = Crew(4)
    again.take(fences)
    again.close()


def _status(execution):
    execution.refresh_from_db()
    return execution.status


def _success(segment):
    return successes.Success(
        execution_id=segment.execution.pk,
        unit_id=segment.execution.unit_id,
        fence=segment.fence,
        step_id=segment.step_id,
        key=segment.key,
        input={},
        output={},
        output_digest="0" * 64,
        worker="one",
        next_step=segment.steps["second"].id,
        next_fence=new_id(),
    )
