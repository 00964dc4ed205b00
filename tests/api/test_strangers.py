"""What nobody in particular is refused: told a few times and then counted, whatever anybody else is refused meanwhile."""

from threading import Barrier, Thread

import pytest
from django.db import DataError, transaction
from django.test import Client
from django.urls import reverse

from approvals.authentication.guessing import IN_A_ROW
from audit import events, presenters, strangers
from audit.actors import ANYONE
from audit.models import AuditEvent
from audit.strangers import MOST_A_MINUTE
from tests import make
from tests.api.conftest import Caller

MADE_UP = "hp_0123456789ab_" + "x" * 43
FLOOD = MOST_A_MINUTE + 5


def knock(times=1):
    answers = [Caller(MADE_UP).get("executions/") for _ in range(times)]
    assert {(status, problem["code"]) for status, problem, _ in answers} == {(401, "invalid_token")}
    return [problem["instance"] for _, problem, _ in answers]


def told(event):
    return AuditEvent.objects.filter(event=event, actor="anonymous").order_by("seq")


def left_out():
    return [(fact["count"], fact["what"]) for fact in map(presenters.facts_of, told("strangers.left_out"))]


@pytest.mark.django_db
class TestAStranger:
    def test_is_recorded_a_few_times_a_minute_and_hears_the_same_no(self):
        instances = knock(FLOOD)

        assert told("request.refused").count() == MOST_A_MINUTE
        assert [instance.startswith("urn:uuid:") for instance in instances] == [True] * MOST_A_MINUTE + [False] * 5
        assert left_out() == []

    def test_is_counted_with_the_next_one_that_is_recorded(self):
        knock(FLOOD)
        strangers.few["request.refused"].again()
        knock(2)

        assert left_out() == [(5, "refused requests")]
        assert told("request.refused").count() == MOST_A_MINUTE + 2
        sentence = presenters.tell(told("strangers.left_out").get(), {}).title
        assert sentence == "5 refused requests of nobody signed in are only counted here"

    def test_takes_nobodys_place_in_the_trail(self, api):
        knock(FLOOD)
        for _ in range(FLOOD):
            assert api.post("actions/", {})[0] == 422

        assert AuditEvent.objects.filter(event="request.refused", actor="agent:triage").count() == FLOOD

    def test_does_not_drown_failed_sign_ins(self):
        knock(FLOOD)
        Client().post(reverse("login"), {"username": "nobody", "password": "guessed"})

        assert told("person.sign_in_failed").count() == 1

    def test_is_told_of_later_where_the_trail_could_not_be_written(self):
        strange = events.fact("request.refused", by=ANYONE, why="\0")
        with pytest.raises(DataError), transaction.atomic():
            strangers.recorded(strange)

        assert strangers.few["request.refused"].take() == 1


@pytest.mark.django_db
class TestATryWhileLocked:
    def test_is_told_a_few_times_and_then_counted(self):
        make.person("grace", "view")
        for _ in range(IN_A_ROW + FLOOD):
            Client().post(reverse("login"), {"username": "grace", "password": "guessed"})
        strangers.few["request.refused"].again()
        knock()

        refused = [event.why for event in told("request.refused")]
        assert refused == ["too_many_tries"] * MOST_A_MINUTE + ["invalid_token"]
        assert left_out() == [(5, "refused requests")]
        assert told("person.sign_in_locked").count() == 1


class TestManyThreads:
    def test_leave_out_none_uncounted(self):
        few, barrier, taken = strangers.Few(), Barrier(4), []

        def take():
            barrier.wait()
            taken.extend(few.take() for _ in range(100))

        threads = [Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        few.again()

        assert taken.count(0) == MOST_A_MINUTE
        assert few.take() == 400 - MOST_A_MINUTE
