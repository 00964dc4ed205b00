"""What an integrator sees at a limit: 429 with the time to ask again, the same key works then, and the grant stands."""

import pytest

from orchestrator.models import Breaker, Limit
from tests import make

pytestmark = pytest.mark.django_db
LOOK = {"tool": "orders.get", "arguments": {"order": "A1"}}


@pytest.fixture(autouse=True)
def limit(looks_at_once):
    return make._activated(Limit(name="orders", tool="orders.get", per_minute=4, why="the shop is small"))


def redeem(api, key, proposal=LOOK):
    _, action, _ = api.post("actions/", proposal)
    return action["id"], api.post(f"actions/{action['id']}/redemptions/", **{"Idempotency-Key": key})


class TestAtALimit:
    def test_a_redemption_is_refused_with_the_time_and_the_reason_and_works_later(self, api, limit):
        assert redeem(api, "one")[1][0] == 200
        action, (status, problem, headers) = redeem(api, "two", {**LOOK, "arguments": {"order": "A2"}})

        assert (status, problem["code"]) == (429, "limited")
        assert "orders allows 4 a minute (the shop is small)" in problem["detail"]
        assert 1 <= int(headers["Retry-After"]) <= 15
        assert api.get(f"actions/{action}/")[1]["status"] == "granted"

        make.later("orchestrator_breaker", "next_at", Breaker.objects.get(limit=limit).pk, 15)
        assert api.post(f"actions/{action}/redemptions/", **{"Idempotency-Key": "two"})[0] == 200
