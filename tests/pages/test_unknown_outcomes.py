"""The lane of unknown outcomes: what was sent, what was tried, what comes next, and who may say what happened."""

import json

import pytest
from django.urls import reverse

from audit.models import AuditEvent
from orchestrator.models import Action
from tests import make
from tests.pages.asking import browser_of

DID_NOT = {"verdict": "did_not", "code": "not_in_their_books", "note": "no such entry on the statement"}


def page_of(browser, **query):
    return browser.get(reverse("unknown_outcomes"), query).content.decode()


def answer(browser, action, **said):
    return browser.post(reverse("action_answers", args=[action.pk]), {**DID_NOT, **said})


def status_of(action):
    return Action.objects.get(pk=action.pk).status


class TestTheLane:
    def test_says_what_was_sent_under_which_key_and_class_and_what_comes_next(self, unit, as_ada):
        doubt = make.doubt("PAY-1", owner="treasury")

        page = page_of(as_ada)

        row = page.split('id="unknown-outcome-rows"')[1]
        assert all(
            words in row for words in ("PAY-1", doubt.idempotency_key, "<strong>C</strong>", "sent 1", "treasury")
        )
        assert "A person has to say what happened" in row

    def test_is_counted_in_the_navigation(self, unit, as_ada):
        make.doubt("PAY-1")

        entry = as_ada.get(reverse("help")).content.decode().split(reverse("unknown_outcomes"))[1].split("</a>")[0]
        assert ">1<" in entry

    def test_is_empty_when_nothing_is_in_doubt(self, unit, as_ada):
        assert "Nothing is in doubt" in page_of(as_ada)

    def test_is_narrowed_by_text(self, unit, as_ada):
        make.doubt("PAY-1")

        assert "data-row" in page_of(as_ada, q="PAY-1")
        assert "Nothing matches these filters" in page_of(as_ada, q="PAY-2")

    def test_shows_strangers_nothing(self, unit, as_eve):
        make.doubt("PAY-1")

        assert "PAY-1" not in page_of(as_eve)

    def test_loses_what_was_answered(self, unit, as_ada):
        doubt = make.doubt("PAY-1")

        answer(as_ada, doubt)

        assert "Nothing is in doubt" in page_of(as_ada)


class TestTheAnswer:
    def test_keeps_what_was_typed_when_something_is_missing(self, unit, as_ada):
        doubt = make.doubt("PAY-1", output_schema={"type": "object", "required": ["receipt"]})

        reply = answer(as_ada, doubt, verdict="happened", code="in_their_books", note="entry 4711")

        assert reply.status_code == 422
        page = reply.content.decode()
        assert "entry 4711" in page
        assert "receipt" in page.split('id="answer-form"')[1]
        assert status_of(doubt) == "unknown"
        assert AuditEvent.objects.get(event="request.refused").why == "invalid"

    def test_with_the_result_settles_it(self, unit, as_ada):
        doubt = make.doubt("PAY-1", output_schema={"type": "object", "required": ["receipt"]})

        answer(as_ada, doubt, verdict="happened", code="in_their_books", result='{"receipt": "R-7"}')

        doubt.refresh_from_db()
        assert (doubt.status, doubt.result) == ("succeeded", {"receipt": "R-7"})

    def test_that_cannot_tell_says_who_looks_further(self, unit, as_ada):
        doubt = make.doubt("PAY-1")

        answer(as_ada, doubt, verdict="cannot_tell", code="no_access", owner="treasury", remind_seconds="3600")

        assert "cannot tell yet" in page_of(as_ada)
        assert "treasury" in page_of(as_ada)


class TestTwoPeople:
    @pytest.fixture
    def doubt(self, unit):
        return make.doubt("PAY-1", tier="financial")

    @pytest.fixture
    def as_olaf(self, unit):
        return browser_of(make.person("olaf", "view", "operate", of=unit))

    def test_have_to_find_the_same_before_it_is_sent_again(self, doubt, as_ada, as_olaf):
        answer(as_ada, doubt)
        assert status_of(doubt) == "unknown"
        assert "A second person has to find the same" in page_of(as_olaf)

        answer(as_olaf, doubt)

        assert status_of(doubt) == "granted"

    def test_are_not_one_who_says_it_twice(self, doubt, as_ada):
        answer(as_ada, doubt)
        answer(as_ada, doubt)

        assert status_of(doubt) == "unknown"

    def test_are_not_two_accounts_of_one(self, doubt, unit, ada, as_ada, as_olaf):
        make.linked("ada", ada, make.person("olaf"))
        answer(as_ada, doubt)
        answer(as_olaf, doubt)

        assert status_of(doubt) == "unknown"

    def test_are_not_the_two_of_whom_one_has_changed_their_mind(self, doubt, as_ada, as_olaf):
        answer(as_ada, doubt)
        answer(as_ada, doubt, verdict="cannot_tell", code="books_disagree")
        answer(as_olaf, doubt)

        assert status_of(doubt) == "unknown"

    def test_are_not_those_who_said_it_of_an_earlier_send(self, doubt, as_ada, as_olaf):
        answer(as_ada, doubt)
        answer(as_olaf, doubt)
        make.carried_out(Action.objects.get(pk=doubt.pk), "unknown", message="The line went dead again.")

        answer(as_olaf, doubt)

        assert status_of(doubt) == "unknown"

    def test_are_not_needed_to_say_that_it_happened_because_that_sends_nothing(self, doubt, as_ada):
        answer(as_ada, doubt, verdict="happened", code="in_their_books")

        assert status_of(doubt) == "succeeded"


class TestTheApi:
    def test_gives_people_the_lane_and_takes_their_answer(self, unit, as_ada):
        doubt = make.doubt("PAY-1")

        (row,) = as_ada.get("/api/v1/unknown-outcomes/").json()["results"]
        assert (row["id"], row["doubt"]["idempotency_class"], row["doubt"]["sends"]) == (str(doubt.pk), "C", 1)

        reply = as_ada.post(
            f"/api/v1/actions/{doubt.pk}/answers/", json.dumps(DID_NOT), content_type="application/json",
            headers={"Idempotency-Key": "one"},
        )  # fmt: skip
        assert (reply.status_code, reply.json()["status"]) == (201, "granted")

    def test_is_not_there_for_strangers(self, unit, as_eve):
        doubt = make.doubt("PAY-1")

        assert as_eve.get("/api/v1/unknown-outcomes/").json()["results"] == []
        reply = as_eve.post(
            f"/api/v1/actions/{doubt.pk}/answers/", json.dumps(DID_NOT), content_type="application/json",
            headers={"Idempotency-Key": "one"},
        )  # fmt: skip
        assert reply.status_code == 404
        assert status_of(doubt) == "unknown"
