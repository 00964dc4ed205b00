"""An operation is run by several hosts, by hosts that die anywhere, against people who pause it: each letter is sent once."""

import random
import threading
import time

import pytest
from django.db import DatabaseError, connection

from audit.models import AuditEvent
from audit.refusals import Refusal
from orchestrator.engine import drives
from orchestrator.models import DeadLetter, Operation
from orchestrator.operations import bulk_letters as bulk
from orchestrator.operations import failure_groups as groups
from orchestrator.operations.bulk_letters import Terms
from tests import make
from tests.races.racing import race, unexpected

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(600)]
LETTERS = 14


@pytest.fixture
def ada():
    return make.actor(make.person("ada", "view", "operate", of=make.unit("finance", "Finance")))


def begun(ada, number=LETTERS):
    letters = [make.letter() for _ in range(number)]
    operation = bulk.preview(act="redrive", group_id=letters[0].group_id, by=ada)
    return bulk.confirm(operation_id=operation.pk, by=ada, terms=Terms(per_minute=600))


def at_once(operation):
    """No speed limit: the hosts are as close on each other's heels as they can be."""
    Operation.objects.filter(pk=operation.pk).update(next_at=None)


def drained(operation, run):
    """Rounds of `run` until nothing is left; what is under way succeeds meanwhile."""
    for _ in range(200):
        at_once(operation)
        run()
        for item in operation.items.filter(status="under_way", letter__status="redriven").select_related("letter"):
            make.succeeded(item.letter)
        operation.refresh_from_db()
        if operation.status == "done":
            return
    raise AssertionError(f"still {operation.status}")


def assert_each_once(operation):
    assert {*operation.items.values_list("status", flat=True)} == {"fixed"}
    assert {*DeadLetter.objects.values_list("redrives", "status")} == {(1, "fixed")}
    for event in ("operation_item.under_way", "operation_item.fixed"):
        assert AuditEvent.objects.filter(stream=operation.stream, event=event).count() == operation.size


class TestSeveralHosts:
    def test_send_each_letter_once(self, ada):
        operation = begun(ada)

        def run():
            assert unexpected(race(*[lambda: drives.one_round(operation.pk)] * 3)) == []

        drained(operation, run)

        assert_each_once(operation)


class TestAHostThatDies:
    def test_anywhere_leaves_an_item_sent_or_not_and_never_sent_twice(self, ada):
        deaths = []
        # How long a round takes depends on the machine: the moments lie close together and far apart, until one was met.
        for _ in range(20):
            operation = begun(ada)

            def run(operation=operation):
                moment = random.uniform(0, random.choice((0.02, 0.1, 0.4)))
                deaths.append(_cut_off(lambda: drives.one_round(operation.pk), after=moment))

            drained(operation, run)
            assert_each_once(operation)
            if any(deaths):
                break

        assert any(deaths), "no round was cut off: the test shows nothing"


def _cut_off(act, *, after):
    """Run it on a connection that the server ends at some moment. Whether that hit it."""
    hit, pid, began = [], [], threading.Event()

    def run():
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                pid.append(cursor.fetchone()[0])
            began.set()
            act()
        except DatabaseError:
            hit.append(True)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    began.wait(30)
    time.sleep(after)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", pid)
    thread.join()
    return bool(hit)


class TestAPersonAgainstTheSweep:
    def test_nothing_is_sent_after_a_pause(self, ada):
        for _ in range(5):
            operation = begun(ada, 3)
            seen = []

            def pause(operation=operation, seen=seen):
                bulk.pause(operation_id=operation.pk, by=ada)
                seen.append(operation.items.filter(status="under_way").count())

            outcomes = race(pause, lambda operation=operation: drives.one_round(operation.pk))
            assert unexpected(outcomes) == []
            drives.one_round(operation.pk)
            assert operation.items.filter(status="under_way").count() == seen[0]
            bulk.cancel(operation_id=operation.pk, by=ada)

    def test_two_confirmations_begin_it_once(self, ada):
        for _ in range(5):
            letter = make.letter()
            operation = bulk.preview(act="redrive", group_id=letter.group_id, by=ada, letter_ids=[letter.pk])
            act = lambda operation=operation: bulk.confirm(operation_id=operation.pk, by=ada, terms=Terms())  # noqa: E731
            outcomes = race(act, act)
            assert sorted(isinstance(outcome, Refusal) for outcome in outcomes) == [False, True]


class TestALetterAgainstAMerge:
    def test_is_never_left_behind_in_the_group_that_was_merged_away(self, ada):
        for number in range(8):
            one = make.letter(f"One thing {'x' * number}")
            two = make.letter(f"Another thing {'x' * number}")
            started = make.executions.start(workflow="closing", input={"month": "2026-10"}, unit="finance", by=ada)
            segment = make.at_second_step(started)
            outcomes = race(
                lambda segment=segment, number=number: make.failed(segment, f"One thing {'x' * number}"),
                lambda one=one, two=two: groups.merge(
                    group_id=one.group_id, into_id=two.group_id, by=ada, why="the same"
                ),
            )
            assert outcomes == [None, None]
            assert DeadLetter.objects.filter(group=one.group_id).count() == 0
            assert DeadLetter.objects.filter(group=two.group_id).count() == 3
