"""Which release an execution may be pinned to, and by whom."""

import pytest

from audit import actors
from audit.refusals import Forbidden
from orchestrator.models import Channel
from orchestrator.operations import executions
from tests import worlds as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_releases(tmp_path):
    """A world, the digest that production left behind, and the one it runs."""
    world = make.world()
    make.publish(tmp_path / "paying", make.PAY_WORKFLOW, make.HANDLERS)
    old = Channel.objects.get(workflow="paying").release.digest
    make.publish(tmp_path / "paying", make.PAY_WORKFLOW.replace("1.0.0", "1.0.1"), make.HANDLERS)
    return world, old, Channel.objects.get(workflow="paying").release.digest


def start(world, by, release):
    return executions.start(workflow="paying", input={"amount": 1}, unit="finance", by=by, release=release)


class TestPinning:
    def test_lets_a_token_run_production_and_nothing_older(self, two_releases):
        world, old, current = two_releases
        token = actors.agent("clerk", unit_ids=frozenset({world.unit.pk}), scopes=frozenset({"executions:start"}))

        assert start(world, token, current).release.digest == current
        with pytest.raises(Forbidden, match="in production"):
            start(world, token, old)

    def test_lets_an_operator_run_an_older_release(self, two_releases):
        world, old, _ = two_releases

        assert start(world, world.ada, old).release.digest == old
