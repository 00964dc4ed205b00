"""Starting is one statement written by hand: it must mean what the models mean, and it is all or nothing."""

from datetime import timedelta

import pytest

from audit.ids import new_id
from audit.lifecycle import database_now
from audit.refusals import Invalid
from orchestrator.engine.released import released
from orchestrator.models import Execution, Step
from orchestrator.operations import executions
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


class TestADeadline:
    HEAD = WORKFLOW.replace("steps:", "deadline: 2h\nsteps:")

    def begun(self, world, deadline):
        return executions.start(
            workflow="branching", input={"amount": 1}, unit="finance", by=world.ada, envelope={"deadline": deadline}
        )

    def test_of_the_caller_may_be_sooner_than_the_workflows(self, world, publish):
        publish(self.HEAD)
        soon = (database_now() + timedelta(minutes=5)).replace(microsecond=0)

        assert Execution.objects.get(pk=self.begun(world, soon.isoformat()).pk).deadline_at == soon

    def test_of_the_caller_is_never_later(self, world, publish):
        publish(self.HEAD)

        stored = Execution.objects.get(pk=self.begun(world, "2099-01-01T00:00:00Z").pk)

        assert timedelta(hours=1, minutes=59) < stored.deadline_at - database_now() <= timedelta(hours=2)

    @pytest.mark.parametrize("said", ["2026-12-01T10:00:00", "2026-12-01", "tomorrow", ""])
    def test_without_an_offset_is_refused(self, world, publish, said):
        """It would be read as the time of wherever the server stands."""
        publish(WORKFLOW)

        with pytest.raises(Invalid) as refused:
            self.begun(world, said)

        assert refused.value.errors[0][:2] == ("/envelope/deadline", "not_a_moment")
        assert not Execution.objects.exists()


class TestAnEnvelope:
    def begun(self, world, envelope):
        return executions.start(
            workflow="branching", input={"amount": 1}, unit="finance", by=world.ada, envelope=envelope
        )

    @pytest.mark.parametrize(
        ("envelope", "pointer", "says"),
        [
            (
                {"workflow_version": "0.9.0"},
                "/envelope/workflow_version",
                "This would run version 1.0.0, not 0.9.0. Leave it out, or name the release by its digest.",
            ),
            (
                {"approval_conditions": ["args.amount > 5", "arg.amount > 5"]},
                "/envelope/approval_conditions/1",
                "line 1, column 1: unknown name `arg`. Did you mean `args`?",
            ),
            ({"approval_conditions": [""]}, "/envelope/approval_conditions/0", ""),
            ({"approval_conditions": [5]}, "/envelope/approval_conditions/0", "5 is not of type 'string'"),
        ],
    )
    def test_that_asks_for_what_cannot_be_is_refused(self, world, publish, envelope, pointer, says):
        publish(WORKFLOW)

        with pytest.raises(Invalid) as refused:
            self.begun(world, envelope)

        (error,) = refused.value.errors
        assert (error[0], says in error[2]) == (pointer, True), error
        assert not Execution.objects.exists()

    def test_may_name_the_version_that_runs(self, world, publish):
        publish(WORKFLOW)

        assert self.begun(world, {"workflow_version": "1.0.0"}).status == "queued"


class TestInputThatNobodyDeclares:
    WORKFLOW = """
workflow: open
version: 1.0.0
about: "${title}"
steps:
  - pay: {tool: pay, amount: 5, output: {properties: {paid: {type: integer}}}}
  - again: {tool: pay, amount: "${sum}"}
"""

    @pytest.mark.parametrize(
        ("input", "told"),
        [
            ({}, "`sum` is missing, and the workflow needs it."),
            ({"summ": 7}, "`sum` is missing, and the workflow needs it. Did you mean it by `summ`?"),
        ],
    )
    def test_is_asked_for_before_the_first_effect(self, world, publish, input, told):
        publish(self.WORKFLOW)

        with pytest.raises(Invalid) as refused:
            make.start(world, "open", **input)

        assert refused.value.errors == [("/input", "required", told)]
        assert not Execution.objects.exists()

    def test_is_not_asked_for_where_only_people_are_told_of_it(self, world, publish):
        publish(self.WORKFLOW)

        assert make.start(world, "open", sum=7).status == "queued"


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


def test_a_release_tells_its_files_by_their_names_and_no_others(world, publish):
    publish(WORKFLOW)

    pinned = released(make.start(world, "branching", amount=7).release_id)

    assert pinned.code
    assert all(pinned.digest_of(name) for name in pinned.code)
    assert pinned.digest_of("../" + next(iter(pinned.code))) == ""
