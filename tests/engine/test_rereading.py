"""Reviewers decide beside the record as it stands now: a worker reads it again for them, and nothing is sent by that."""

from datetime import timedelta

import pytest
from django.db.models import F

from approvals import operations as approvals
from approvals.models import ApprovalRequest, RecordChange, StopScope
from approvals.operations import readings, stops
from approvals.queries import difference_from, review
from audit.actors import Actor
from audit.lifecycle import database_now
from audit.models import AuditEvent
from audit.refusals import Forbidden, NotVisible, Stale
from orchestrator.engine.sweep import sweep
from tests import worlds as make
from tests.engine import provider as providers
from tests.engine.driving import approve, asked, attempts, claim, drive, lapse, statuses
from tests.races.racing import race, unexpected
from tests.signing import voice

READS_WHEN_RUN = providers.HANDLERS.replace(
    "def work(input, context):\n", "def work(input, context):\n    read({'ref': 'ran'}, context)\n"
)
CLERK = [{"name": "clerk", "owner": "olga", "unit": "finance", "allowed_tools": ["*"], "entry": "handlers:work",
          "input_schema": {"type": "object", "properties": {"tool": {}, "refs": {}}}}]  # fmt: skip
ONE_CALL = "  - send: {tool: unsafe, with: {ref: R-1}}\n"


@pytest.fixture
def waiting(world, governed, provider):
    """An execution whose one call waits for a signature beside revision 1 of its record."""
    governed(ONE_CALL)
    execution = make.start(world, "outside")
    drive(execution)
    return execution


def a_while_passes(request: ApprovalRequest) -> None:
    """Longer than the pause between two readings, and than a record may be old on a page."""
    past = timedelta(minutes=5)
    ApprovalRequest.objects.filter(pk=request.pk).update(
        created_at=F("created_at") - past, record_read_at=F("record_read_at") - past
    )


def ask(request: ApprovalRequest, by: Actor) -> None:
    readings.ask(request_id=request.pk, by=by)


class TestAnUnchangedRecord:
    def test_is_said_to_be_so_and_the_step_waits_on(self, world, waiting, provider):
        request = asked(waiting)
        ask(request, world.grace)

        drive(waiting)

        request.refresh_from_db()
        assert (request.record_found, request.reading_asked_at, request.revision) == ("unchanged", None, 1)
        assert request.record_read_at is not None
        assert (waiting.status, statuses(waiting)) == ("waiting", {"send": "awaiting_approval"})
        assert attempts(waiting, "send") == [("parked", ""), ("parked", "")]
        assert (provider.reads, provider.sends) == (2, [])
        assert [told.event for told in AuditEvent.objects.about(request.pk).oldest_first()][-2:] == [
            "approval_request.reading_asked",
            "approval_request.record_unchanged",
        ]

    def test_counts_as_no_try_however_often_it_is_read(self, world, waiting):
        request = asked(waiting)
        for _ in range(5):
            a_while_passes(request)
            ask(request, world.grace)
            drive(waiting)

        assert waiting.steps.get().tries == 0
        approve(asked(waiting), world.grace)
        drive(waiting)
        assert waiting.status == "succeeded"

    def test_leaves_a_signature_what_it_is(self, world, waiting):
        request = asked(waiting)
        read_before = voice(request)
        ask(request, world.linus)
        drive(waiting)

        approvals.approve(request_id=request.pk, by=world.grace, voice=read_before)

        request.refresh_from_db()
        assert request.status == "approved"


class TestAChangedRecord:
    @pytest.fixture
    def changed(self, world, waiting, provider):
        request = asked(waiting)
        provider.record = {"revision": 2}
        ask(request, world.grace)
        drive(waiting)
        return request

    def test_is_a_new_revision_of_the_same_request_beside_the_new_record(self, world, waiting, changed):
        now = asked(waiting)

        assert now.pk == changed.pk
        assert (now.revision, now.record_found) == (2, "changed")
        assert now.digest != changed.digest
        shown = review(world.grace, now.pk, now=database_now())
        assert [(row.label, row.before, row.after) for row in shown.record_differs] == [("record / revision", "1", "2")]

    def test_refuses_whoever_decides_on_what_they_read_before_and_says_what_differs(self, world, waiting, changed):
        with pytest.raises(approvals.Changed):
            approvals.approve(request_id=changed.pk, by=world.grace, voice=voice(changed))

        rows = difference_from(asked(waiting), changed.digest)
        assert ("record / revision", "1", "2") in [(row.label, row.before, row.after) for row in rows]

    def test_is_signed_anew_and_then_sent_without_asking_a_third_time(self, world, waiting, changed, provider):
        approve(asked(waiting), world.grace)
        drive(waiting)

        assert (waiting.status, provider.effects) == ("succeeded", ["R-1"])
        assert ApprovalRequest.objects.filter(execution_id=waiting.pk).count() == 1

    def test_is_kept_for_good(self, changed):
        with pytest.raises(Exception, match="append-only"):
            RecordChange.objects.update(before="")

    def test_frees_every_seat_of_a_two_person_act(self, world, waiting, provider):
        request = asked(waiting)
        ApprovalRequest.objects.filter(pk=request.pk).update(required=2)
        request.refresh_from_db()
        approve(request, world.linus)
        provider.record = {"revision": 2}
        ask(request, world.grace)
        drive(waiting)

        now = asked(waiting)
        assert review(world.grace, now.pk, now=database_now()).given == 0
        approve(now, world.grace)
        assert asked(waiting).status == "pending"


class TestARecordThatCannotBeRead:
    def test_is_said_and_costs_the_step_nothing(self, world, waiting, provider):
        request = asked(waiting)
        provider.plan("down")
        ask(request, world.grace)

        drive(waiting)

        request.refresh_from_db()
        assert request.record_found == "failed"
        assert "Reading the record before unsafe failed" in request.record_trouble
        assert (waiting.status, waiting.steps.get().tries) == ("waiting", 0)

    def test_is_read_before_anything_is_sent_in_any_case(self, world, waiting, provider):
        provider.plan("down")
        ask(asked(waiting), world.grace)
        drive(waiting)
        provider.record = {"revision": 2}
        approve(asked(waiting), world.grace)

        drive(waiting)

        assert provider.sends == []


class TestWhoMayAsk:
    def test_whoever_could_decide_and_nobody_else(self, world, waiting):
        request = asked(waiting)
        for somebody, refusal in ((world.ada, Forbidden), (world.eve, NotVisible)):
            with pytest.raises(refusal):
                ask(request, somebody)
        agent = Actor(key="agent:clerk", name="clerk", kind="agent", unit_ids=frozenset({world.unit.pk}))
        with pytest.raises(Forbidden):
            ask(request, agent)
        request.refresh_from_db()
        assert request.reading_asked_at is None

    def test_asking_twice_asks_once(self, world, waiting, provider):
        request = asked(waiting)
        ask(request, world.grace)
        ask(request, world.linus)
        drive(waiting)

        assert provider.reads == 2  # when it was asked, and now

    def test_not_more_often_than_every_ten_seconds(self, world, waiting):
        request = asked(waiting)
        ask(request, world.grace)
        drive(waiting)

        with pytest.raises(readings.ReadLately):
            ask(request, world.linus)
        a_while_passes(request)
        ask(request, world.linus)

    def test_nobody_once_it_is_decided(self, world, waiting):
        request = asked(waiting)
        approve(request, world.grace)
        with pytest.raises(Stale):
            ask(request, world.linus)

    def test_nobody_while_a_stop_covers_it(self, world, waiting):
        request = asked(waiting)
        stops.engage(target=stops.Target(scope=StopScope.UNIT, unit_id=world.unit.pk), by=world.ada, reason="a test")
        with pytest.raises(Stale):
            ask(request, world.grace)

    def test_nobody_where_no_record_is_behind_the_act(self, world):
        with pytest.raises(readings.NothingToRead):
            ask(make.request(world), world.grace)


class TestAWorkerThatDies:
    def test_while_it_reads_leaves_the_question_for_the_next(self, world, waiting, provider):
        request = asked(waiting)
        ask(request, world.grace)
        lapse(claim().fence)

        drive(waiting)

        request.refresh_from_db()
        assert (request.record_found, waiting.status) == ("unchanged", "waiting")

    def test_a_question_that_came_while_the_step_was_at_work_is_found_by_the_sweep(self, world, waiting):
        request = asked(waiting)
        ApprovalRequest.objects.filter(pk=request.pk).update(reading_asked_at=database_now())

        assert sweep()
        drive(waiting)

        request.refresh_from_db()
        assert request.record_found == "unchanged"


@pytest.mark.slow
class TestAtTheSameInstant:
    @pytest.mark.parametrize("number", range(12))
    def test_a_decision_and_a_changed_record_have_one_outcome(self, world, waiting, provider, number):
        request = asked(waiting)
        provider.record = {"revision": 2}
        ask(request, world.linus)
        fence = claim().fence
        said = voice(request)

        outcomes = race(
            lambda: approvals.approve(request_id=request.pk, by=world.grace, voice=said),
            lambda: make.run(fence),
        )
        drive(waiting)

        assert unexpected(outcomes) == []
        # Signed first: the approval is over the old record, so dispatch asks anew. Read first: the signature is refused.
        now = asked(waiting)
        assert provider.sends == []
        assert (outcomes[0] is None, now.pk == request.pk) in {(True, False), (False, True)}
        approve(now, world.grace)
        drive(waiting)
        assert (waiting.status, provider.effects) == ("succeeded", ["R-1"])


class TestAnAgentsStep:
    def test_is_not_run_again_only_to_read_a_record(self, world, governed, provider):
        governed("  - run: {agent: clerk}\n", READS_WHEN_RUN, agents=CLERK)
        execution = make.start(world, "outside", tool="unsafe", refs=["R-1"])
        drive(execution)
        before = provider.reads
        ask(asked(execution), world.grace)

        drive(execution)

        assert provider.reads == before + 1
