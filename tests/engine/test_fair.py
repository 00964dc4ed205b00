"""Where more is due than hands are free, units take turns: a flood in one does not starve another."""

from collections import Counter

import pytest
from django.db import connection

from orchestrator.engine.broker import StepBroker
from orchestrator.engine.claims import claim_due, claim_in_turn
from orchestrator.models import Step
from orchestrator.operations import executions
from tests import make as more
from tests import worlds as make
from tests.engine.driving import drive

LOOK = "workflow: looking\nversion: 1.0.0\nsteps:\n  - look: {tool: look}\n"


@pytest.fixture
def units(world, publish):
    """finance floods, the other two ask for little, and later."""
    publish(LOOK)
    found = [world.unit, more.unit("claims"), more.unit("payments")]
    for unit, number in zip(found, (12, 2, 1), strict=True):
        for _ in range(number):
            executions.start(workflow="looking", input={}, unit=unit.name, by=make.SETUP)
    return found


def units_of(claims):
    steps = Step.objects.in_bulk([claim.step_id for claim in claims])
    return [steps[claim.step_id].unit_id for claim in claims]


class TestClaims:
    def test_made_in_turn_reach_every_unit_first(self, units):
        finance, other, third = (unit.pk for unit in units)

        claims = units_of(claim_in_turn(limit=6, worker="one"))

        assert set(claims[:3]) == {finance, other, third}
        assert Counter(claims) == {finance: 3, other: 2, third: 1}
        assert Counter(units_of(claim_due(limit=3, worker="one"))) == {finance: 3}

    def test_count_what_a_unit_has_running_already(self, units):
        finance, other, _ = (unit.pk for unit in units)
        assert set(units_of(claim_due(limit=3, worker="one"))) == {finance}

        assert units_of(claim_in_turn(limit=2, worker="two")).count(finance) == 0
        assert other in units_of(claim_in_turn(limit=1, worker="two"))

    def test_take_the_oldest_of_a_unit_and_all_of_them_in_the_end(self, units):
        finance = units[0].pk
        oldest = list(Step.objects.filter(unit_id=finance).order_by("due_at").values_list("pk", flat=True))

        taken = []
        while claims := claim_in_turn(limit=4, worker="one"):
            taken += claims

        assert [claim.step_id for claim in taken if claim.step_id in set(oldest)] == oldest
        assert len(taken) == 15

    def test_pass_over_what_another_host_holds(self, units):
        first = {claim.step_id for claim in claim_in_turn(limit=5, worker="one")}

        assert first.isdisjoint({claim.step_id for claim in claim_in_turn(limit=5, worker="two")})

    def test_find_each_unit_by_the_index(self, units):
        """Whatever the backlog is: a walk over all of it would make a flood slow for everybody."""
        with connection.cursor() as cursor:
            cursor.execute(
                "EXPLAIN SELECT s.unit_id FROM orchestrator_step AS s WHERE s.status = 'pending' AND s.due_at <= now() "
                "AND s.unit_id > %s ORDER BY s.unit_id LIMIT 1", [units[0].pk],
            )  # fmt: skip
            assert "step_due_of_unit" in "\n".join(row[0] for row in cursor.fetchall())


class TestTheBroker:
    def test_serves_a_small_unit_while_another_floods(self, units, settings):
        settings.WORKERS, settings.HANDS = 1, 3
        broker = StepBroker()

        assert set(units_of(broker._claim())) == {unit.pk for unit in units}
        drive()
