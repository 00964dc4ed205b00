"""Time to resolution: of dead letters, unknown outcomes and alerts that came up in a range, how long until they were over."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from audit import lifecycle
from audit.lifecycle import database_now
from orchestrator.engine.alerts.alerting import judge_all
from orchestrator.health.levels import Span
from orchestrator.health.resolution import KINDS, resolutions
from orchestrator.models import Alert, DeadLetter
from orchestrator.operations import dead_letters
from orchestrator.operations.unknown_outcomes import Said, answer
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def unit():
    return make.unit("finance", "Finance")


@pytest.fixture
def ada(unit):
    return make.actor(make.person("ada", "view", "operate", of=unit))


def told(unit, *, days=1):
    now = database_now()
    span = Span(units=frozenset({unit.pk}), since=now - timedelta(days=days), until=now + timedelta(hours=1))
    return {one.kind: one for one in resolutions(span)}


def took(letter, **time):
    """It came up so long before now."""
    moment = database_now() - timedelta(**time)
    DeadLetter.objects.filter(pk=letter.pk).update(first_at=moment)


class TestALetter:
    def test_is_resolved_when_it_is_fixed_or_discarded_and_not_while_it_is_tried_again(self, unit, ada):
        fixed, gone, tried = (make.dead_letter() for _ in range(3))
        for letter in (fixed, tried):
            dead_letters.requeue(letter_id=letter.pk, by=ada)
        make.succeeded(fixed)
        dead_letters.discard(letter_id=gone.pk, by=ada, code="duplicate")
        took(fixed, minutes=10)
        took(gone, minutes=20)
        found = told(unit)["letters"]

        assert (found.resolved, found.open) == (2, 1)
        assert found.median == pytest.approx(900, abs=5)

    def test_that_came_up_before_the_range_is_none_of_it(self, unit):
        took(make.dead_letter(), days=2)

        assert told(unit)["letters"].open == 0
        assert told(unit, days=3)["letters"].open == 1


class TestAnUnknownOutcome:
    def test_is_resolved_when_it_is_known_what_happened(self, unit, ada):
        known, _ = make.doubt(of=unit), make.doubt(of=unit)
        said = Said(verdict="happened", code="in_their_books", note="seen", result={"posting": "P-1"})
        answer(action_id=known.pk, said=said, by=ada)
        found = told(unit)["doubts"]

        assert (found.resolved, found.open) == (1, 1)
        assert 0 < found.median < 60

    def test_is_still_open_while_nobody_can_tell(self, unit, ada):
        doubt = make.doubt(of=unit)
        answer(action_id=doubt.pk, said=Said(verdict="cannot_tell", code="no_access", note="closed"), by=ada)

        assert (told(unit)["doubts"].resolved, told(unit)["doubts"].median) == (0, None)


class TestAnAlert:
    def test_is_over_when_it_is_no_longer_seen_and_counts_from_when_it_was_last_opened(self, unit):
        make.alert(of=unit)
        make.alert(of=unit)
        first = Alert.objects.earliest("id")
        Alert.objects.filter(pk=first.pk).update(first_at=database_now() - timedelta(days=9))
        lifecycle.move(first, to="resolved", by=make.MAKER, resolved_at=Now())
        found = told(unit)["alerts"]

        assert (found.resolved, found.open) == (1, 1)
        assert 0 <= found.median < 60

    def test_that_came_back_is_open_again(self, unit):
        alert = make.alert(of=unit)
        lifecycle.move(alert, to="resolved", by=make.MAKER, resolved_at=Now())
        judge_all()

        assert (told(unit)["alerts"].resolved, told(unit)["alerts"].open) == (0, 1)


class TestAnything:
    def test_is_told_of_the_units_asked_for_only(self, unit):
        sales = make.unit("sales", "Sales")
        make.doubt(of=sales)
        make.letter(of=sales)
        make.alert(of=sales)

        assert [one.open for one in told(unit).values()] == [0, 0, 0]
        # A send that nobody can account for is an alert as well.
        assert [one.open for one in told(sales).values()] == [1, 1, 2]
        assert set(told(unit)) == set(KINDS)
