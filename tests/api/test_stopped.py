"""What an integrator sees while a person has stopped their agent: nothing is lost, and every answer says why."""

import pytest

from approvals.models import StopScope
from approvals.operations import stops
from approvals.operations.stops import Target
from audit.actors import person
from orchestrator.engine.sweep import sweep
from tests.api.conftest import cancel_order, make_person

pytestmark = pytest.mark.django_db
LOOK = {"tool": "orders.get", "arguments": {"order": "A1"}}


@pytest.fixture
def ada(world):
    user = make_person("ada", world, "view", "operate")
    return person(user.pk, "ada")


def stop(world, ada):
    target = Target(scope=StopScope.AGENT, agent="triage", unit_id=world.pk)
    return stops.engage(target=target, by=ada, reason="it cancels the wrong orders")


def lift(stop, ada):
    stops.lift(stop_id=stop.pk, by=ada, why="the prompt was corrected")
    sweep()


class TestWhileStopped:
    def test_a_proposal_waits_and_is_granted_afterwards(self, api, world, ada):
        engaged = stop(world, ada)

        status, action, _ = api.post("actions/", LOOK)
        assert (status, action["verdict"], action["status"], action["approval"]) == (201, "hold", "held", None)
        assert "it cancels the wrong orders" in action["reasons"][0]
        assert action["stopped"]["id"] == str(engaged.pk)
        assert action["stopped"]["reason"] == "it cancels the wrong orders"

        lift(engaged, ada)
        _, action, _ = api.get(f"actions/{action['id']}/?wait=1")
        assert (action["status"], action["stopped"]) == ("granted", None)

    def test_a_redemption_is_refused_and_may_be_asked_for_again(self, api, world, ada):
        _, action, _ = api.post("actions/", LOOK)
        engaged = stop(world, ada)
        key = {"Idempotency-Key": "redeem-1"}

        status, problem, headers = api.post(f"actions/{action['id']}/redemptions/", **key)
        assert (status, problem["code"], headers["Retry-After"]) == (409, "stopped", "5")
        assert "it cancels the wrong orders" in problem["detail"]
        _, action, _ = api.get(f"actions/{action['id']}/")
        assert (action["status"], bool(action["stopped"])) == ("granted", True)

        lift(engaged, ada)
        assert api.post(f"actions/{action['id']}/redemptions/", **key)[0] == 200

    def test_what_is_under_way_is_reported_as_ever(self, api, world, ada):
        _, action, _ = api.post("actions/", LOOK)
        _, ticket, _ = api.post(f"actions/{action['id']}/redemptions/")
        stop(world, ada)

        outcome = {"fence": ticket["fence"], "outcome": "success", "result": {}}
        assert api.post(f"actions/{action['id']}/outcomes/", outcome)[0] == 200

    def test_an_approval_says_since_when_its_clocks_stand_still(self, api, world, ada):
        stop(world, ada)
        _, action, _ = api.post("actions/", cancel_order())

        _, approval, _ = api.get(f"approvals/{action['approval']['id']}/")
        assert approval["frozen_at"]
        assert action["stopped"]

    def test_an_action_of_another_agent_is_not_stopped(self, api, world, ada):
        target = Target(scope=StopScope.AGENT, agent="other", unit_id=world.pk)
        stops.engage(target=target, by=ada, reason="it cancels the wrong orders")

        _, action, _ = api.post("actions/", LOOK)
        assert (action["status"], action["stopped"]) == ("granted", None)
