"""Two people hand in a step's result at the same instant, or one hands in while the other refuses: one result, of one person."""

import pytest

from approvals.models import Decision
from audit.refusals import Refusal
from orchestrator.operations.by_hand import hand_in
from tests import worlds as make
from tests.engine.driving import asked, drive, reject, step
from tests.engine.test_by_hand import AGENTS, HANDLERS, STEPS
from tests.races.racing import race, races, unexpected
from tests.signing import voice

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def routed(tmp_path):
    """Executions whose first step failed and waits for a person."""
    world = make.world()
    workflow = f"workflow: reading\nversion: 1.0.0\nsteps:{STEPS % ''}"
    make.publish(tmp_path / "workflow", workflow, HANDLERS, agents=AGENTS)

    def routed(number):
        execution = make.start(world, "reading", case=f"C-{number}")
        drive(execution)
        return execution

    return world, routed


def giving(request, by, intent):
    said = voice(request, by=by)
    return lambda: hand_in(request_id=request.pk, by=by, voice=said, result={"intent": intent})


def test_two_results_are_one_result_and_it_is_the_one_recorded(routed):
    world, start = routed
    for number in races(60):
        execution = start(number)
        request = asked(execution)

        outcomes = race(giving(request, world.grace, "grace"), giving(request, world.linus, "linus"))

        assert unexpected(outcomes) == []
        assert sum(isinstance(one, Refusal) for one in outcomes) == 1
        decision = Decision.objects.get(request=request)
        assert step(execution, "read").output == {"intent": decision.person_name}
        drive(execution)
        assert step(execution, "tell").output == {"seen": decision.person_name}


def test_a_result_and_a_refusal_are_one_of_the_two(routed):
    world, start = routed
    for number in races(60):
        execution = start(number)
        request = asked(execution)

        outcomes = race(giving(request, world.grace, "refund"), lambda request=request: reject(request, world.linus))

        assert unexpected(outcomes) == []
        assert sum(isinstance(one, Refusal) for one in outcomes) == 1
        given = Decision.objects.get(request=request).verdict == "answer"
        assert step(execution, "read").output == ({"intent": "refund"} if given else None)
        drive(execution)
        assert execution.status == ("succeeded" if given else "failed")
