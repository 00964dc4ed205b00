"""Steps of chains that begin to wait for people are written together: the rows that parking each gives, and all or nothing."""

import psycopg
import pytest

from approvals.models import ApprovalRequest, StopScope
from approvals.models.notice import Notice
from approvals.operations import stops
from approvals.operations.stops import Target
from audit.models import AuditEvent
from audit.refusals import Stale
from orchestrator.engine import waits
from orchestrator.engine.claims import claim_due
from orchestrator.engine.execute import run, write
from orchestrator.engine.parking import settle_parked
from orchestrator.engine.segment import begin_all
from orchestrator.engine.sweep import sweep
from orchestrator.engine.together import write_together
from orchestrator.models import Attempt, Step
from tests import worlds as make
from tests.engine.driving import lapse

ASKS = """
workflow: asks_first
version: 1.0.0
input: {type: object, properties: {month: {type: string}, about: {type: string}}}
steps:
  - approve: {human_if: [size(month) > 3], required: 2, ask: "Close ${about}?", checks: [Is it the right month?]}
  - after: {tool: look, needs: [approve]}
"""
# What differs between any two: ids, and what is made of them or of the clock.
OF_ITS_OWN = {
    "id", "subject_id", "execution_id", "step", "request", "snapshot", "digest", "path", "attempt_id", "attempt",
    "created_at", "decide_by", "next_notice_at", "claimed_at", "started_at", "finished_at", "heartbeat_at",
    "lease_expires_at", "due_at", "hash", "at", "stream", "object_id", "data", "trace_id", "root_id", "execution_hash",
    "title", "request_id", "step_id",
}  # fmt: skip


@pytest.fixture
def asking(world, publish):
    """So many executions whose first step begins to wait, in a worker's hands."""
    publish(ASKS)

    def begun(number):
        for n in range(number):
            make.start(world, "asks_first", month="2026-11", about=f"unit {n}")
        return begin_all([claim.fence for claim in claim_due(limit=number, worker="one")])

    return begun


@pytest.fixture
def statements(monkeypatch):
    """How many hot statements were sent since it was asked last."""
    sent, execute = [], psycopg.RawCursor.execute

    def counted(self, *args, **more):
        sent.append(1)
        return execute(self, *args, **more)

    def since():
        number = len(sent)
        sent.clear()
        return number

    monkeypatch.setattr(psycopg.RawCursor, "execute", counted)
    return since


def unwritten(segments):
    return [done for segment in segments for _, done in [run(segment)]]


def rows_of(segment):
    """Everything that parking has written of it."""
    request = ApprovalRequest.objects.get(execution_id=segment.execution.pk)
    step = Step.objects.get(pk=segment.step_id)
    # The execution's own input was there before.
    rows = [request, Notice.objects.get(request=request), step, Attempt.objects.get(pk=segment.fence), step.execution]
    events = AuditEvent.objects.filter(stream__in=[segment.stream, request.stream]).order_by("stream", "seq")
    values = [_values(row) for row in [*rows, *events]]
    values[4].pop("input")
    return values


def _values(row):
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def in_common(rows):
    return [{name: value for name, value in row.items() if name not in OF_ITS_OWN} for row in rows]


class TestWritingTogether:
    def test_gives_the_rows_that_parking_one_by_one_gives(self, asking):
        together, alone, other = asking(3)
        write(unwritten([together, other]))
        (done,) = unwritten([alone])
        why, question = done.outcome.why, done.outcome.question
        settle_parked(alone, to="awaiting_approval", why=why, input={}, question=question)

        assert in_common(rows_of(together)) == in_common(rows_of(alone))

    def test_gives_each_its_own_request(self, asking):
        segments = asking(3)
        assert write(unwritten(segments)) == [None] * 3

        for segment in segments:
            request = ApprovalRequest.objects.get(execution_id=segment.execution.pk)
            about = segment.execution.input["about"]
            assert (request.subject_id, request.title) == (segment.step_id, f"Close {about}?")
            assert f'"about":"{about}"' in request.snapshot
            assert Notice.objects.get(request=request).title == request.title
            assert (request.decide_by - request.created_at).total_seconds() == 24 * 3600

    def test_asks_the_database_as_often_for_many_as_for_one(self, asking, statements):
        done = unwritten(asking(5))

        statements()
        write(done[:1])
        for_one = statements()
        write(done[1:])

        assert statements() == for_one == 3

    def test_a_lost_lease_takes_nobody_with_it(self, asking):
        segments = asking(3)
        done = unwritten(segments)
        lapse(segments[1].fence)
        sweep()

        outcomes = write_together([one.outcome for one in done], waits.write)

        assert [type(outcome).__name__ for outcome in outcomes] == ["NoneType", "Stale", "NoneType"]
        asked = set(ApprovalRequest.objects.values_list("subject_id", flat=True))
        assert asked == {segments[0].step_id, segments[2].step_id}
        assert Notice.objects.count() == 2

    def test_writes_nothing_when_a_guard_fails(self, asking):
        segments = asking(2)
        done = unwritten(segments)
        lapse(segments[0].fence)
        sweep()

        with pytest.raises(Stale):
            waits.write([one.outcome for one in done])

        assert Attempt.objects.get(pk=segments[1].fence).status == "running"
        assert not ApprovalRequest.objects.exists()

    def test_keeps_the_clock_of_what_was_stopped_meanwhile_still(self, asking, world):
        done = unwritten(asking(2))
        stops.engage(
            target=Target(scope=StopScope.UNIT, unit_id=world.unit.pk), by=world.ada, reason="the books do not agree"
        )

        write(done)

        assert ApprovalRequest.objects.filter(frozen_at=None).count() == 0
