"""Where more is due than hands are free, units take turns: a flood in one does not starve another."""

from collections import Counter

import pytest
from django.db import connection
from psycopg import RawCursor

from audit import lifecycle
from audit.ids import new_id_array
from orchestrator.engine import claims
from orchestrator.engine.broker import StepBroker
from orchestrator.engine.claims import claim_due, claim_in_turn
from orchestrator.models import Step
from orchestrator.operations import executions
from tests import make as also
from tests import worlds as make
from tests.engine.driving import drive

LOOK = "workflow: looking\nversion: 1.0.0\nsteps:\n  - look: {tool: look}\n"


@pytest.fixture
def units(world, publish):
    """finance floods, the other two ask for little, and later."""
    publish(LOOK)
    found = [world.unit, also.unit("claims"), also.unit("payments")]
    for unit, number in zip(found, (12, 2, 1), strict=True):
        for _ in range(number):
            executions.start(workflow="looking", input={}, unit=unit.name, by=make.SETUP)
    return found


def units_of(taken):
    steps = Step.objects.in_bulk([claim.step_id for claim in taken])
    return [steps[claim.step_id].unit_id for claim in taken]


class TestClaims:
    def test_made_in_turn_reach_every_unit_first(self, units):
        finance, other, third = (unit.pk for unit in units)

        taken = units_of(claim_in_turn(limit=6, worker="one"))

        assert set(taken[:3]) == {finance, other, third}
        assert Counter(taken) == {finance: 3, other: 2, third: 1}
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
        while more := claim_in_turn(limit=4, worker="one"):
            taken += more

        assert [claim.step_id for claim in taken if claim.step_id in set(oldest)] == oldest
        assert len(taken) == 15

    def test_pass_over_what_another_host_holds(self, units):
        first = {claim.step_id for claim in claim_in_turn(limit=5, worker="one")}

        assert first.isdisjoint({claim.step_id for claim in claim_in_turn(limit=5, worker="two")})

    @pytest.mark.parametrize("text", [claims._CLAIM_IN_TURN, claims._CLAIM_ANY], ids=["in turn", "oldest first"])
    def test_read_no_more_than_they_take_however_much_is_due(self, units, text):
        """A flood would make every claim slow, for everybody."""
        for _ in range(300):
            executions.start(workflow="looking", input={}, unit=units[0].name, by=make.SETUP)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE orchestrator_step, orchestrator_execution")

        assert max(rows_read(text, limit=4)) <= 2 * 4 * len(units)


def rows_read(text, *, limit):
    """By each part of the statement's plan, what it threw away again included."""
    numbered, names = lifecycle._numbered(text)
    given = {"limit": limit, "worker": "one", "lease": 60, "execution_id": None}
    given |= {name: new_id_array(limit) for name in ("fences", "event_ids", "more_ids")}
    with RawCursor(connection.connection) as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {numbered}", [given[name] for name in names])
        plans = [cursor.fetchone()[0][0]["Plan"]]
    while plans:
        plan = plans.pop()
        plans += plan.get("Plans", ())
        yield plan["Actual Loops"] * (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0))


class TestTheBroker:
    def test_serves_a_small_unit_while_another_floods(self, units, settings):
        settings.WORKERS, settings.HANDS = 1, 3
        broker = StepBroker()

        assert set(units_of(broker._claim())) == {unit.pk for unit in units}
        drive()
