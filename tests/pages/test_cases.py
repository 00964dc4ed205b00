"""Evaluation cases on the pages: the list and its filter, choosing with a reason, and the file."""

import json

import pytest
from django.urls import reverse

from approvals.models import EvaluationCase
from audit.models import AuditEvent
from tests import make


def text(answer):
    return answer.content.decode()


@pytest.fixture
def case(unit, grace):
    make.rejected(make.request(), grace, "No invoice <b>at all</b>")
    return EvaluationCase.objects.get()


class TestTheList:
    def test_shows_the_units_cases_and_nobody_elses(self, case, as_vera, as_eve):
        assert case.title in text(as_vera.get(reverse("cases")))
        assert "No case yet" in text(as_eve.get(reverse("cases")))
        assert as_eve.get(case.get_absolute_url()).status_code == 404

    def test_is_filtered_by_its_address(self, case, as_vera):
        assert case.title in text(as_vera.get(f"{reverse('cases')}?state=candidate&kind=rejection&q=invoice"))
        assert "Nothing matches" in text(as_vera.get(f"{reverse('cases')}?kind=edit"))
        assert as_vera.get(f"{reverse('cases')}?state=nonsense&q=%00").status_code == 200

    def test_is_reached_from_the_queue(self, case, as_vera):
        assert reverse("cases") in text(as_vera.get(reverse("approvals")))


class TestOneCase:
    def test_shows_what_was_said_as_text(self, case, as_vera):
        page = text(as_vera.get(case.get_absolute_url()))

        assert "No invoice &lt;b&gt;at all&lt;/b&gt;" in page
        assert "A reviewer of this unit chooses" in page

    def test_is_accepted_with_a_reason(self, case, as_linus):
        typed = {"verdict": "accept", "why": "It happens every month"}
        answer = as_linus.post(reverse("case_judgements", args=[case.pk]), typed, follow=True)

        assert "The case is accepted." in text(answer)
        assert "It happens every month" in text(answer)

    def test_keeps_a_reason_that_is_too_short(self, case, as_linus):
        answer = as_linus.post(reverse("case_judgements", args=[case.pk]), {"verdict": "accept", "why": "yes"})

        assert answer.status_code == 422
        assert ">yes</textarea>" in text(answer).replace("\n", "")

    def test_is_not_chosen_by_whoever_only_looks(self, case, as_vera, as_eve):
        typed = {"verdict": "accept", "why": "It happens every month"}
        address = reverse("case_judgements", args=[case.pk])

        assert as_vera.post(address, typed).status_code == 403
        assert as_eve.post(address, typed).status_code == 404
        assert as_vera.get(address).status_code == 405


class TestTheFile:
    def test_holds_what_the_filter_leaves(self, case, as_linus):
        found = as_linus.post(f"{reverse('case_export')}?kind=rejection")
        nothing = as_linus.post(f"{reverse('case_export')}?kind=edit")

        assert found["Content-Disposition"].endswith('"evaluation-cases.jsonl"')
        assert [json.loads(line)["id"] for line in text(found).splitlines()] == [str(case.pk)]
        assert text(nothing) == ""
        assert AuditEvent.objects.filter(event="evaluation_case.exported").count() == 1

    def test_holds_no_foreign_unit_and_leaves_on_no_get(self, case, as_eve, as_linus):
        assert text(as_eve.post(reverse("case_export"))) == ""
        assert as_linus.get(reverse("case_export")).status_code == 405
