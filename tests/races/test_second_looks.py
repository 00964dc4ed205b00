"""Drawn once and looked at once, however many do it at the same instant."""

import pytest
from django.db import connection, transaction

from approvals.models import DrawSeed, SecondLook
from approvals.operations import second_looks
from audit.actors import system
from audit.models import AuditEvent
from audit.refusals import Stale
from tests import make as places
from tests import worlds as make
from tests.races.racing import approve, race, unexpected
from tests.signing import voice

RACES = 8

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def world(settings):
    settings.SECOND_LOOK_PERCENT = 100
    return make.world()


def look_of(request):
    return SecondLook.objects.select_related("request").get(request=request)


def drawn(world):
    request = make.request(world)
    approve(request, world.grace)()
    return look_of(request)


def look(row, who, verdict="approve"):
    reason = "evidence_checked" if verdict == "approve" else "wrong_amount"
    return lambda: second_looks.look_again(
        look_id=row.pk, by=who, verdict=verdict, voice=voice(row.request, reason)
    )  # fmt: skip


def give_up(row, who):
    return lambda: second_looks.see_decision(look_id=row.pk, by=who)


def the_day_begins_anew():
    """The table lets no seed go; the test's owner of it lifts the trigger for the length of one."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE approvals_drawseed DISABLE TRIGGER USER")
        cursor.execute("DELETE FROM approvals_drawseed")
        cursor.execute("ALTER TABLE approvals_drawseed ENABLE TRIGGER USER")


class TestTheFirstDecisionsOfADay:
    def test_share_one_seed(self, world):
        for _ in range(RACES):
            the_day_begins_anew()
            before = AuditEvent.objects.filter(event="second_look_seed.committed").count()
            one, two = make.request(world), make.request(world)

            assert race(approve(one, world.grace), approve(two, world.linus)) == [None, None]

            assert DrawSeed.objects.count() == 1
            assert AuditEvent.objects.filter(event="second_look_seed.committed").count() == before + 1
            assert SecondLook.objects.filter(request__in=[one, two]).count() == 2


class TestOneDecisionTwice:
    def test_is_drawn_once(self, world):
        for _ in range(RACES):
            request = make.request(world)

            race(approve(request, world.grace), approve(request, world.grace), approve(request, world.linus))

            assert SecondLook.objects.filter(request=request).count() == 1
            assert AuditEvent.objects.filter(object_id=request.pk, event="second_look.drawn").count() == 1


class TestTwoLooksAtOnce:
    def test_are_won_by_one(self, world):
        mary = places.actor(places.person("mary", "view", "review", of=world.unit))
        for _ in range(RACES):
            row = drawn(world)

            outcomes = race(look(row, world.linus), look(row, mary, "reject"))

            assert sorted(type(outcome) for outcome in outcomes if outcome) == [Stale]
            ends = AuditEvent.objects.filter(
                object_id=row.pk, event__in=["second_look.agreed", "second_look.disagreed"]
            )
            assert ends.count() == 1

    def test_and_the_end_of_its_time_come_to_one_end(self, world):
        for _ in range(RACES):
            row = drawn(world)
            places.later("approvals_secondlook", "due_at", row.pk, 5 * 24 * 3600)

            outcomes = race(look(row, world.linus), lambda: second_looks.expire_overdue(by=system("test")))

            assert unexpected(outcomes) == []
            second_looks.expire_overdue(by=system("test"))
            row.refresh_from_db()
            assert row.status in {"agreed", "expired"}


class TestTwoWhoHaveToKnow:
    def test_are_both_kept_from_looking(self, world):
        mary = places.actor(places.person("mary", "view", "review", of=world.unit))
        for _ in range(RACES):
            row = drawn(world)

            race(give_up(row, world.linus), give_up(row, mary))

            row.refresh_from_db()
            assert {world.linus.user_id, mary.user_id} <= set(row.barred)
