"""Several people ask to undo one execution at the same instant: one undo, and everybody else is told whose it is."""

import pytest

from orchestrator.gate.undo import AlreadyUndone
from orchestrator.models import Action, Execution
from orchestrator.releases.undoing import undo_execution
from tests import worlds as make
from tests.races.racing import race

RACES = 10
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(300)]
WORKFLOW = "workflow: outside\nversion: 1.0.0\ninput: {type: object}\nsteps:\n  - one: {tool: book, amount: 1}\n"
BACK = {"name": "unbook", "version": "1", "effect": "write", "tier": "informational", "idempotency_class": "A",
        "input_schema": make.AMOUNT, "entry": "handlers:pay"}  # fmt: skip
TOOLS = [BACK, {**BACK, "name": "book", "compensate_with": "unbook"}]


class TestAskingAtOnce:
    def test_starts_one_undo(self, tmp_path):
        world = make.world()
        make.publish(tmp_path / "workflow", WORKFLOW, make.HANDLERS, tools=TOOLS)
        for _ in range(RACES):
            execution = make.start(world, "outside")
            make.work()

            outcomes = race(*[
                lambda pk=execution.pk: undo_execution(execution_id=pk, by=world.ada, why="booked twice")
                for _ in range(4)
            ])  # fmt: skip

            assert [one for one in outcomes if one is not None and not isinstance(one, AlreadyUndone)] == []
            assert sum(one is None for one in outcomes) == 1
            assert Execution.objects.undoing().filter(parent_id=execution.pk).count() == 1
            make.work()
            undone = Action.objects.get(execution_id=execution.pk)
            assert (undone.status, Action.objects.filter(undoes_id=undone.pk).count()) == ("undone", 1)
