"""In a chain the worker keeps going: the claim of the following step is part of settling the one before."""

import pytest

from audit.lifecycle import run
from orchestrator.engine.claims import claim_due
from orchestrator.engine.execute import Unwritten, write
from orchestrator.engine.segment import begin
from orchestrator.engine.settle import light_success
from orchestrator.engine.sweep import sweep
from orchestrator.engine.workers.supervisor import LOOKS, Supervisor
from orchestrator.models import Attempt
from orchestrator.queries.trace_parts import parts_of
from tests import worlds as make
from tests.engine.driving import attempts, lapse

CHAIN = """
workflow: two_looks
version: 1.0.0
steps:
  - first: {tool: look}
  - second: {tool: look, needs: [first]}
"""
LONG_DUE = "UPDATE orchestrator_step SET due_at = due_at - interval '1 minute' WHERE status = 'pending'"


@pytest.fixture
def execution(world, publish):
    publish(CHAIN)
    return make.start(world, "two_looks")


@pytest.fixture
def second(execution):
    """The first step is settled, and its worker has the second one in its hands."""
    segment = begin(claim_due(limit=1, worker="one")[0].fence)
    success = light_success(segment, input={}, output={})
    (following,) = write([Unwritten(segment, success)])
    return following


class TestTheFollowingStep:
    def test_has_begun_when_it_is_claimed(self, second):
        attempt = Attempt.objects.get(pk=second.fence)
        assert attempt.started_at is not None
        assert attempt.started_at >= attempt.claimed_at

    def test_is_what_the_model_would_have_made(self, second):
        attempt = Attempt.objects.get(pk=second.fence)
        meant = Attempt(step_id=second.step_id, execution_id=second.execution.pk, number=1, worker="one")
        for name in ("status", "step_id", "execution_id", "number", "worker", "failure_class", "message", "evidence"):
            assert getattr(attempt, name) == getattr(meant, name), name

    def test_counts_as_tried_when_its_worker_dies(self, execution, second):
        lapse(second.fence)
        sweep()
        assert attempts(execution, "second") == [("lost", "lost")]

    def test_has_a_part_of_its_own_time_in_the_trace(self, execution, world):
        make.work()
        parts = parts_of(execution.trace_id, [execution.pk])
        first, second = [part for part in parts if part.kind == "step"]
        assert first.started_at < second.started_at < second.ended_at


class TestTheSupervisor:
    @pytest.fixture
    def supervisor(self, execution):
        """It has watched its cluster for a while, and a step is due that nobody claims."""
        run(LONG_DUE, [])
        supervisor = Supervisor()
        supervisor._started = float("-inf")
        return supervisor

    def test_finds_a_cluster_frozen_that_claims_nothing_for_several_looks(self, supervisor):
        assert [supervisor._is_frozen() for _ in range(LOOKS)] == [*[False] * (LOOKS - 1), True]

    def test_is_at_ease_when_one_look_shows_work(self, supervisor, execution):
        supervisor._is_frozen()
        begin(claim_due(limit=1, worker=supervisor._name)[0].fence)
        assert [supervisor._is_frozen() for _ in range(LOOKS)] == [False] * LOOKS
