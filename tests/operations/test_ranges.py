"""Acceptable ranges are drafted by one and activated by another, hold where they were drafted for, and nowhere else."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from audit.definitions import NeedsTwo, SamePerson, activate, draft, retire
from audit.lifecycle import database_now
from audit.refusals import Refusal
from orchestrator.engine.alerts.alerting import judge_slowly
from orchestrator.health.levels import Span, judged, levels
from orchestrator.health.ranges import Range, Ranges, defaults
from orchestrator.models import Alert, Execution, ServiceLevel
from tests import make

pytestmark = pytest.mark.django_db


def drafted(name, low, high=100, *, of=None, workflow="", figure="success", version=1):
    return ServiceLevel(
        name=name, unit_id=of and of.pk, workflow=workflow, figure=figure, low=low, high=high, version=version
    )


def in_force(name, low, high=100, **more):
    return make._activated(drafted(name, low, high, **more))


class TestARange:
    def test_is_the_settings_where_nobody_drafted_one(self):
        assert Ranges().of([make.unit().pk]) == defaults()

    def test_is_the_one_of_the_nearest_unit(self):
        above = make.unit("group", "Group")
        unit = make.unit("nordics", "Nordics", parent=above)
        for name, low, of in (("all", 90, None), ("near", 70, unit), ("group", 80, above)):
            in_force(name, low, of=of)

        held = Ranges()
        assert held.of([unit.pk])["success"] == Range(70, 100, "near v1")
        assert held.of([above.pk])["success"] == Range(80, 100, "group v1")
        assert held.of([make.unit("elsewhere").pk])["success"] == Range(90, 100, "all v1")

    def test_of_several_units_covers_all_of_them(self):
        above = make.unit("group", "Group")
        one, other = make.unit("one", parent=above), make.unit("other", parent=above)
        in_force("one", 70, of=one)
        in_force("group", 80, of=above)

        assert Ranges().of([one.pk, other.pk])["success"].set_by == "group v1"
        assert Ranges().of([one.pk, make.unit("elsewhere").pk]) == defaults()

    def test_of_a_workflow_is_beside_that_of_its_unit(self):
        unit = make.unit()
        in_force("closing", 60, workflow="closing", of=unit)

        assert Ranges().of([unit.pk]) == defaults()
        assert Ranges().of_workflow([unit.pk], "closing") == {"success": Range(60, 100, "closing v1")}
        assert Ranges().of_workflow([unit.pk], "other") == {}
        assert Ranges().of_workflow([make.unit("elsewhere").pk], "closing") == {}


class TestPuttingOneInForce:
    @pytest.fixture
    def ann(self):
        return make.actor(make.person("ann", "view", "operate"))

    def test_takes_another_person(self, ann):
        row = drafted("mine", 90, of=make.unit())
        draft(row, by=ann)
        with pytest.raises(SamePerson):
            activate(row, by=ann)

    def test_is_not_undone_by_one_person(self, ann):
        row = in_force("mine", 90, of=make.unit())
        with pytest.raises(NeedsTwo):
            retire(row, by=ann)

    def test_replaces_the_version_before(self):
        in_force("mine", 90)
        in_force("mine", 80, version=2)

        assert Ranges().of([make.unit().pk])["success"] == Range(80, 100, "mine v2")
        assert list(ServiceLevel.objects.order_by("version").values_list("status", flat=True)) == ["retired", "active"]

    def test_is_refused_where_another_name_has_the_place(self):
        in_force("mine", 90)
        with pytest.raises(Refusal) as refused:
            in_force("yours", 80)
        assert refused.value.code == "place_taken"

    def test_is_refused_by_the_database_where_it_ends_below_its_beginning(self):
        with pytest.raises(IntegrityError), transaction.atomic():
            draft(drafted("mine", 90, 80), by=make.MAKER)


class TestAnAlert:
    def out(self):
        judge_slowly()
        rows = Alert.objects.active().filter(rule="service_levels").order_by("subject")
        return {alert.subject: alert.detail for alert in rows}

    def test_follows_the_range_in_force(self):
        letter = make.letter()
        make.copies(letter, 24)
        assert list(self.out()) == ["success"]

        in_force("lenient", 0, of=make.unit())
        assert self.out() == {}

    def test_of_a_workflow_with_a_range_of_its_own_is_one_of_its_own(self):
        unit = make.unit()
        in_force("lenient", 0, of=unit)
        in_force("strict", 99, of=unit, workflow="closing")
        make.copies(make.letter(), 24)

        assert self.out() == {"success / closing": "0 %, acceptable is at least 99 %, says strict v1."}

    def test_is_judged_for_the_whole_as_before(self):
        make.execution("failed")
        now = database_now()
        span = Span(units=frozenset({make.unit().pk}), since=now - timedelta(days=1), until=now + timedelta(hours=1))
        assert Execution.objects.count() == 1
        assert [one.set_by for one in judged(levels(span)[0])] == ["", "", ""]
