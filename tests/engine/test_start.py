"""Starting is one statement written by hand: it must mean what the models mean, and it is all or nothing."""

import pytest

from audit.ids import new_id
from orchestrator.engine.released import released
from orchestrator.models import Execution, Step
from tests import worlds as make

WORKFLOW = """
workflow: branching
version: 1.0.0
input: {type: object, required: [amount], properties: {amount: {type: integer}}}
steps:
  - look: {tool: look}
  - pay: {tool: pay, needs: [look]}
  - glance: {tool: look, needs: [], when: amount > 5}
"""
CHOSEN_PER_ROW = {"id", "due_at"}


@pytest.fixture
def started(world, publish):
    publish(WORKFLOW)
    return make.start(world, "branching", amount=7)


def _columns(row):
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


class TestSteps:
    def test_are_what_the_model_would_have_made_of_their_specs(self, started):
        wanted = [
            Step(execution_id=started.pk, unit_id=started.unit_id, key=spec.key, position=position, kind=spec.kind,
                 spec=spec.to_json())
            for position, spec in enumerate(released(started.release_id).spec.steps)
        ]  # fmt: skip
        for made, meant in zip(started.steps.in_order(), wanted, strict=True):
            assert {**_columns(made), **dict.fromkeys(CHOSEN_PER_ROW)} == {
                **_columns(meant),
                **dict.fromkeys(CHOSEN_PER_ROW),
            }

    def test_have_ids_of_their_own(self, started):
        ids = {step.pk for step in started.steps.all()}
        assert len(ids) == 3
        assert started.pk not in ids

    def test_that_need_nothing_are_due_at_once(self, started):
        due = {step.key for step in started.steps.all() if step.due_at is not None}
        assert due == {"look", "glance"}


class TestExecution:
    def test_is_returned_as_it_is_stored(self, started):
        stored = Execution.objects.get(pk=started.pk)
        assert {**_columns(stored), "created_at": None} == {**_columns(started), "created_at": None}

    def test_is_not_started_when_its_steps_cannot_be(self, started, world, monkeypatch):
        """Two steps of one id: the last rows of the statement fail, and nothing of it stays."""
        taken = new_id()
        monkeypatch.setattr("orchestrator.operations.executions.new_id", lambda: taken)
        with pytest.raises(Exception, match="orchestrator_step_pkey"):
            make.start(world, "branching", amount=8)
        assert Execution.objects.count() == 1
