"""What fails in silence is one alert with an owner; what only varies by chance is none."""

import random
from functools import partial

import pytest
from django.contrib.auth import get_user_model

from approvals.models import ApprovalRequest
from audit.definitions import retire
from budgets.models import BusinessUnit
from orchestrator.engine.alerts import drift_rules
from orchestrator.engine.alerts.alerting import judge_slowly
from orchestrator.engine.settle import settle_success
from orchestrator.gate import propose as gate_propose
from orchestrator.health import drift, shifts
from orchestrator.models import Agent, Alert, Execution
from tests import make
from tests.drifting import Run, at_random, copy

pytestmark = pytest.mark.django_db
WEEK, DAY = {"since": 24 * 8 - 1, "until": 25}, {"since": 23, "until": 0.1}


@pytest.fixture
def unit():
    return make.unit("finance", "Finance")


@pytest.fixture
def dice():
    return random.Random(20261128)


@pytest.fixture(autouse=True)
def every_rule_was_judged(caplog, monkeypatch):
    """No alert must never mean that a rule could not be asked, on a busy machine neither."""
    monkeypatch.setattr(drift, "WITHIN_SECONDS", 60)
    yield
    assert not [one for one in caplog.get_records("call") if one.levelname == "ERROR"]


def spread(execution, dice, number, when, draw=dict, **more):
    copy(execution, [Run(hours=at, **draw()) for at in at_random(dice, number=number, **when)], **more)


def raised():
    judge_slowly()
    return list(Alert.objects.active().exclude(rule="service_levels").order_by("kind", "subject"))


def calling(unit, tool="look.up"):
    """A success whose agent's step has called a tool."""
    make.tool(tool, tier="informational", effect="read", record="", probe="", business_key="")
    started = make.execution("queued")
    segment = make.at_second_step(started)
    step = started.steps.get(key="post")
    place = gate_propose.Place(
        execution=Execution.objects.get(pk=started.pk),
        step_id=step.pk,
        fence=segment.fence,
        step_key="post",
        occurrence=0,
    )
    gate_propose.propose(
        tool=tool, arguments=make.arguments(), agent="poster", unit_id=unit.pk, by=make.MAKER, place=place
    )
    settle_success(segment, input={"rows": 3}, output={"posted": 3})
    return Execution.objects.get(pk=started.pk)


class TestSuccess:
    def test_that_falls_is_one_alert_for_whoever_owns_it(self, unit, dice):
        good, bad = make.execution("succeeded"), make.execution("failed")
        spread(good, dice, 190, WEEK)
        spread(bad, dice, 10, WEEK)
        spread(good, dice, 25, DAY)
        spread(bad, dice, 15, DAY)
        (alert,) = raised()

        assert (alert.kind, alert.severity, alert.status) == ("drift_success", "warning", "open")
        assert alert.title.startswith("Success fell: closing 1.0.0 (")
        assert "61.9% of 42 succeeded in the last 24 hours, 95.0% of 200 in the week before" in alert.detail
        assert alert.evidence == f"/executions/?workflow=closing&unit={unit.pk}"

    def test_that_falls_by_little_or_in_a_few_is_none(self, unit, dice):
        good, bad = make.execution("succeeded"), make.execution("failed")
        spread(good, dice, 200, WEEK)
        spread(good, dice, 97, DAY)
        spread(bad, dice, 2, DAY)

        assert raised() == []

    def test_is_not_judged_before_there_are_twenty_on_either_side(self, unit, dice):
        good, bad = make.execution("succeeded"), make.execution("failed")
        spread(good, dice, 200, WEEK)
        spread(bad, dice, 17, DAY)

        assert raised() == []

    def test_that_comes_back_ends_the_alert(self, unit, dice):
        good, bad = make.execution("succeeded"), make.execution("failed")
        spread(good, dice, 200, WEEK)
        spread(bad, dice, 30, DAY)
        assert len(raised()) == 1

        spread(good, dice, 3000, DAY)
        assert raised() == []
        assert Alert.objects.get(kind="drift_success").status == "resolved"

    def test_of_many_at_once_is_one_alert_and_no_storm(self, unit, dice):
        for number in range(drift_rules.MANY + 1):
            good, bad = (
                make.execution("succeeded", name=f"flow-{number}"),
                make.execution("failed", name=f"flow-{number}"),
            )
            spread(good, dice, 100, WEEK)
            spread(bad, dice, 30, DAY)
        (alert,) = raised()

        assert (alert.title, alert.count, alert.subject) == ("Success fell, and 5 more like it", 6, "")


AMOUNTS = {
    "drift_duration": ({"seconds": 4.0}, {"seconds": 9.0}),
    "drift_cost": ({"cost": 0.20, "tokens": 1000}, {"cost": 0.40, "tokens": 2000}),
    "drift_tokens": ({"tokens": 1000, "cost": 0.20}, {"tokens": 2000, "cost": 0.21}),
}


@pytest.mark.parametrize("kind", AMOUNTS)
class TestAnAmount:
    def varied(self, dice, values):
        """The same values, each up to a third higher or lower."""
        return lambda: {name: type(value)(value * dice.uniform(0.67, 1.33)) for name, value in values.items()}

    @pytest.mark.parametrize("way", [1, -1])
    def test_that_shifts_in_either_direction_is_one_alert(self, unit, dice, kind, way):
        done = make.execution("succeeded")
        before, now = AMOUNTS[kind][::way]
        spread(done, dice, 120, WEEK, self.varied(dice, before))
        spread(done, dice, 40, DAY, self.varied(dice, now))
        (alert,) = raised()

        assert alert.kind == kind
        assert f" {'rose' if way == 1 else 'fell'}: closing" in alert.title

    def test_that_only_varies_is_none(self, unit, dice, kind):
        done = make.execution("succeeded")
        for number, when in ((120, WEEK), (40, DAY)):
            spread(done, dice, number, when, self.varied(dice, AMOUNTS[kind][0]))

        assert raised() == []


class TestAStep:
    def test_that_succeeds_and_says_nothing_any_more_is_one_alert_for_the_first_of_the_chain(self, unit, dice):
        done = make.execution("succeeded")
        spread(done, dice, 100, WEEK)
        spread(done, dice, 30, DAY, lambda: {"hollow": True})
        (alert,) = raised()

        assert (alert.kind, alert.owner_name) == ("drift_empty", "agent_owner")
        assert alert.title.endswith(f"/ {done.steps.in_order()[0].key}")

    def test_that_never_said_anything_is_none(self, unit, dice):
        done = make.execution("succeeded")
        for number, when in ((100, WEEK), (30, DAY)):
            spread(done, dice, number, when, lambda: {"hollow": True})

        assert raised() == []

    def test_that_leaves_out_a_tool_it_always_called_is_one_alert(self, unit, dice):
        spread(calling(unit), dice, 100, WEEK)
        spread(make.execution("succeeded"), dice, 30, DAY)
        (alert,) = raised()

        assert (alert.kind, alert.owner_name, alert.runbook) == ("drift_calls", "agent_owner", "Redrive it.")
        assert alert.title.startswith("Does not call look.up any more: closing 1.0.0")

    def test_that_called_it_now_and_then_is_none(self, unit, dice):
        spread(calling(unit), dice, 60, WEEK)
        spread(make.execution("succeeded"), dice, 40, WEEK)
        spread(make.execution("succeeded"), dice, 40, DAY)

        assert raised() == []


class TestAFlow:
    def test_that_dries_up_is_one_alert_until_it_runs_again(self, unit, dice):
        owner = make.person("olga", "view", of=unit)
        BusinessUnit.objects.filter(pk=unit.pk).update(owner=get_user_model().objects.get(pk=owner.pk))
        done = make.execution("succeeded")
        make.later("orchestrator_execution", "created_at", done.pk, 3600 * 72)
        copy(done, [Run(hours=24.0 * day) for day in range(4, 27)])
        (alert,) = raised()
        assert (alert.kind, alert.subject, alert.owner_name) == ("quiet_workflow", "closing", "olga")
        assert "the longest of 23 long gaps was 24.0 hours" in alert.detail

        copy(done, [Run(hours=1)])
        assert raised() == []

    def test_that_rests_for_two_of_its_days_is_none(self, unit):
        done = make.execution("succeeded")
        make.later("orchestrator_execution", "created_at", done.pk, 3600 * 48)
        copy(done, [Run(hours=24.0 * day) for day in range(3, 27)])

        assert raised() == []

    def test_after_a_first_batch_of_calls_is_none(self, unit):
        for minutes in range(30):
            row = make.action(
                using=make.tool("see", tier="informational", effect="read", record="", probe="", business_key="")
            )
            make.later("orchestrator_action", "created_at", row.pk, 60 * (200 + minutes))

        assert raised() == []

    def test_tells_short_gaps_in_minutes(self, unit):
        done = make.execution("succeeded")
        make.later("orchestrator_execution", "created_at", done.pk, 3600 * 5)
        copy(done, [Run(hours=5 + step / 4) for step in range(1, 120)])
        (alert,) = raised()

        assert "long gaps was 15.0 minutes" in alert.detail

    def test_of_a_foreign_agent_goes_quiet_unless_it_is_out_of_service(self, unit):
        for hours in range(30):
            row = make.action(
                using=make.tool("see", tier="informational", effect="read", record="", probe="", business_key="")
            )
            make.later("orchestrator_action", "created_at", row.pk, 3600 * (10 + hours))
        (alert,) = raised()
        assert (alert.kind, alert.subject, alert.owner_name) == ("quiet_agent", "poster", "agent_owner")

        retire(Agent.objects.get(name="poster"), by=make.MAKER)
        assert raised() == []


class TestPeople:
    def test_who_overrule_more_often_are_one_alert_and_no_fall_of_success(self, unit, dice):
        grace = make.person("grace", "view", "review", of=unit)
        signed, refused = (make.execution("waiting") for _ in range(2))
        for one, act in ((signed, make.approved), (refused, make.rejected)):
            act(ApprovalRequest.objects.get(execution_id=one.pk), grace)
        spread(signed, dice, 100, WEEK, ended="succeeded")
        spread(signed, dice, 20, DAY, ended="succeeded")
        spread(refused, dice, 20, DAY, ended="failed")
        (alert,) = raised()

        assert alert.kind == "drift_overrides"


@pytest.mark.slow
class TestQuietData:
    def drawn(self, dice, mean):
        return {
            "seconds": dice.expovariate(1 / mean),
            "cost": dice.lognormvariate(-2, 0.8),
            "tokens": dice.randrange(1, 9000),
            "hollow": dice.random() < 0.1,
        }

    def test_raises_nothing_over_many_releases_at_random(self, unit, dice, monkeypatch):
        """Eight workflows, each with its own rate of failures, durations, costs, over four weeks of random moments."""
        for number in range(8):
            good, bad = (
                make.execution("succeeded", name=f"flow-{number}"),
                make.execution("failed", name=f"flow-{number}"),
            )
            fails, mean = dice.uniform(0, 0.4), dice.uniform(0.5, 20)
            for when, runs in ((WEEK, 300), (DAY, 45)):
                failed = sum(dice.random() < fails for _ in range(runs))
                draw = partial(self.drawn, dice, mean)
                spread(good, dice, runs - failed, when, draw)
                spread(bad, dice, failed, when, draw)

        assert raised() == []
        # Not because nothing was compared: without the bound, chance raises some.
        for name, value in {"CHANCE": 0.3, "POINTS": 0.0, "RATIO": 1.0}.items():
            monkeypatch.setattr(shifts, name, value)
        assert raised() != []


class TestARuleThatTakesTooLong:
    def test_says_nothing_and_ends_nothing(self, unit, dice, monkeypatch, caplog):
        good, bad = make.execution("succeeded"), make.execution("failed")
        spread(good, dice, 200, WEEK)
        spread(bad, dice, 30, DAY)
        assert len(raised()) == 1

        monkeypatch.setattr(drift, "_RELEASES", "SELECT pg_sleep(1)")
        monkeypatch.setattr(drift, "WITHIN_SECONDS", 0.05)
        assert len(raised()) == 1
        assert "could not be judged" in caplog.text
        caplog.clear()
