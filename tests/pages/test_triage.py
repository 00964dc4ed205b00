"""Pages of triage: groups with figures that follow the reader's units, acts on them, and operations from preview to result."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from audit.lifecycle import database_now
from audit.models import AuditEvent
from orchestrator.engine import drives
from orchestrator.models import DeadLetter, FailureGroup, Operation
from tests import make
from tests.pages.asking import PART, browser_of


@pytest.fixture
def group(unit, ada):
    """Three letters of one cause."""
    letters = [make.letter(by=ada) for _ in range(3)]
    return FailureGroup.objects.get(pk=letters[0].group_id)


def text_of(answer):
    return answer.content.decode()


def refusals():
    return [event.why for event in AuditEvent.objects.filter(event="request.refused").order_by("seq")]


def act(group, name):
    return reverse(f"failure_group_{name}", args=[group.pk])


def chosen(browser, group, do="redrive", rows="all", **more):
    browser.post(act(group, "operations"), {"act": do, "rows": rows, **more})
    return Operation.objects.latest("created_at")


class TestTheList:
    def test_shows_causes_with_their_figures(self, group, as_ada):
        page = text_of(as_ada.get(reverse("failure_groups")))

        assert "the erp answered &lt;number&gt;." in page
        assert 'aria-label="Letters that failed in the last 24 hours: 3, at most 3 in one"' in page
        assert "agent_owner" in page

    def test_does_not_depend_on_units_the_reader_may_not_see(self, group, as_ada, eve):
        def told():
            """The list, whatever the seconds that went by between two looks."""
            page = text_of(as_ada.get(reverse("failure_groups"))).split('id="group-list"')[1].split("<footer")[0]
            return re.sub(r" title=.*? UTC \(.*?\)", "", page)

        before = told()
        make.letter(of=make.unit("elsewhere"), by=eve)
        after = told()

        assert before == after

    @pytest.mark.parametrize("name", ["failure_groups", "dead_letters"])
    def test_offers_the_owners_of_what_the_reader_sees(self, group, as_ada, as_eve, name):
        assert "agent_owner" in text_of(as_ada.get(reverse(name)))
        assert "agent_owner" not in text_of(as_eve.get(reverse(name)))

    def test_counts_the_units_the_reader_sees(self, group, ada):
        elsewhere = make.unit("elsewhere", "Elsewhere")
        make.grant(ada, "view", elsewhere)
        make.grant(ada, "operate", elsewhere)
        make.letter(of=elsewhere, by=ada)

        assert "and 1 more" in text_of(browser_of(ada).get(reverse("failure_groups")))

    def test_forgets_what_has_ended(self, group, as_ada):
        for letter in DeadLetter.objects.all():
            as_ada.post(reverse("dead_letter_discards", args=[letter.pk]), {"reason_code": "duplicate"})

        assert "Nothing is stuck" in text_of(as_ada.get(reverse("failure_groups")))

    def test_has_a_tab_for_every_state_and_survives_a_broken_address(self, group, as_ada):
        assert "data-row" in text_of(as_ada.get(reverse("failure_groups"), {"tab": "new"}))
        assert "Nothing matches" in text_of(as_ada.get(reverse("failure_groups"), {"tab": "parked"}))
        assert as_ada.get(reverse("failure_groups"), {"tab": "x", "after": "!", "unit": "\0"}).status_code == 200


class TestAGroup:
    @pytest.mark.parametrize("tab", ["letters", "executions", "values", "history", "nonsense"])
    def test_has_an_address_for_every_tab(self, group, as_ada, tab):
        assert as_ada.get(group.get_absolute_url(), {"tab": tab}).status_code == 200

    def test_is_taken_parked_looked_at_again_and_fixed(self, group, as_ada):
        as_ada.post(act(group, "takes"))
        assert "Take over" in text_of(as_ada.get(group.get_absolute_url()))

        as_ada.post(act(group, "parkings"), {"park-hours": "8", "park-more": "", "park-reason": "the ERP sleeps"})
        assert "It rests until" in text_of(as_ada.get(group.get_absolute_url()))

        as_ada.post(act(group, "reopenings"), {"reopen-reason": "it woke up"})
        release = str(DeadLetter.objects.first().execution.release_id)
        as_ada.post(act(group, "fixes"), {"fix-release": release, "fix-reason": "a longer timeout"})
        page = text_of(as_ada.get(group.get_absolute_url()))
        assert "Said to be fixed" in page
        assert "closing 1.0.0" in page

    def test_rests_as_long_as_was_chosen_where_the_clock_of_the_web_host_is_behind(self, group, as_ada, monkeypatch):
        behind = timezone.now() - timedelta(hours=9)
        monkeypatch.setattr(timezone, "now", lambda: behind)

        as_ada.post(act(group, "parkings"), {"park-hours": "8", "park-more": "", "park-reason": "the ERP sleeps"})

        group.refresh_from_db()
        assert group.status == "parked"
        assert abs(group.parked_until - database_now() - timedelta(hours=8)) < timedelta(minutes=5)

    @pytest.mark.parametrize(
        ("name", "typed"),
        [("parkings", {"park-reason": "x"}), ("fixes", {"fix-reason": ""}), ("reopenings", {}), ("merges", {}),
         ("tickets", {"ticket-ticket": "javascript:alert(1)"})],
    )  # fmt: skip
    def test_answers_a_form_that_is_not_filled_in_with_the_form(self, group, as_ada, name, typed):
        answer = as_ada.post(act(group, name), typed)

        assert answer.status_code == 422
        assert 'class="fault"' in text_of(answer)

    def test_answers_what_it_refuses_with_the_form_and_leaves_a_trace(self, group, as_ada):
        letter = group.letters.first()
        as_ada.post(act(group, "tickets"), {"ticket-ticket": "javascript:alert(1)"})
        address = reverse("dead_letter_patches", args=[letter.pk])
        shown = as_ada.get(address).context["form"].initial

        same = as_ada.post(address, {**shown, "reason": "I see no difference"})

        assert same.status_code == 422
        assert "Change a value, or redrive as it is." in text_of(same)
        assert refusals() == ["invalid", "invalid"]

    def test_links_a_ticket(self, group, as_ada):
        as_ada.post(act(group, "tickets"), {"ticket-ticket": "https://tickets.example/17"})
        assert 'href="https://tickets.example/17"' in text_of(as_ada.get(group.get_absolute_url()))

    def test_is_split_by_what_the_page_offers_and_merged_again(self, group, as_ada, ada):
        make.letter(name="other", by=ada)
        assert "Split off" in text_of(as_ada.get(group.get_absolute_url(), {"tab": "values"}))

        as_ada.post(act(group, "splits"), {"name": "workflow", "value": "other"})
        part = FailureGroup.objects.get(split_from=group)
        assert "0 open of 0" not in text_of(as_ada.get(part.get_absolute_url()))

        as_ada.post(act(part, "merges"), {"merge-into": str(group.pk), "merge-reason": "no difference"})
        assert "Merged into" in text_of(as_ada.get(part.get_absolute_url()))
        assert group.letters.count() == 4

    def test_is_answered_in_part_and_not_at_all_when_nothing_changed(self, group, as_ada):
        page = text_of(as_ada.get(group.get_absolute_url()))
        version = page.split('<div id="group"')[1].split('data-live-version="')[1].split('"')[0]
        live = {**PART, "X-Live": "1", "If-None-Match": f'"{version}"'}

        assert as_ada.get(group.get_absolute_url(), headers=live).status_code == 204
        assert text_of(as_ada.get(group.get_absolute_url(), headers=PART)).strip().startswith('<div id="group"')


class TestAnOperation:
    def test_is_shown_in_numbers_before_anything_is_done(self, group, as_ada):
        operation = chosen(as_ada, group)
        page = text_of(as_ada.get(operation.get_absolute_url()))

        assert "These are exactly 3 letters" in page
        assert "unknown: no attempt has reported any" in page
        assert "called no tool yet" in page
        assert page.split('id="samples"')[1].split("</section>")[0].count("EXE-") == 3
        assert DeadLetter.objects.filter(status="open").count() == 3

    def test_is_about_the_ticked_letters_only(self, group, as_ada):
        ticked = [str(letter.pk) for letter in group.letters.all()[:2]]
        assert chosen(as_ada, group, rows="selected", letter=ticked).size == 2
        assert as_ada.post(act(group, "operations"), {"act": "redrive", "rows": "selected"}).status_code == 409
        assert as_ada.post(act(group, "operations"), {"act": "approve", "rows": "all"}).status_code == 422

    def test_above_the_limit_wants_the_count_typed(self, group, as_ada, monkeypatch):
        monkeypatch.setattr("orchestrator.operations.bulk_letters.TYPED_ABOVE", 2)
        operation = chosen(as_ada, group)
        address = reverse("operation_confirmations", args=[operation.pk])

        wrong = as_ada.post(address, {"per_minute": "60", "stop_percent": "0", "count": "30"})
        assert wrong.status_code == 422
        assert "Type 3 to confirm" in text_of(wrong)
        assert refusals() == ["wrong_count"]
        assert as_ada.post(address, {"per_minute": "60", "stop_percent": "0", "count": "3"}).status_code == 302

    def test_lists_what_failed_with_its_reason_and_stops(self, group, as_ada):
        operation = chosen(as_ada, group)
        as_ada.post(reverse("operation_confirmations", args=[operation.pk]), {"per_minute": "600", "stop_percent": "0"})
        drives.one_round(operation.pk)
        make.failed_again(operation.items.get(status="under_way").letter)
        drives.one_round(operation.pk)

        page = text_of(as_ada.get(operation.get_absolute_url()))
        assert "It stopped itself" in page
        assert "the same failure came back: The ERP answered 503." in page
        assert "1 of 3 have ended" in page
        only = text_of(as_ada.get(operation.get_absolute_url(), {"show": "failed"}))
        assert only.split('id="operation-items"')[1].count("data-row") == 1

        as_ada.post(reverse("operation_resumptions", args=[operation.pk]))
        assert "Pause" in text_of(as_ada.get(operation.get_absolute_url()))
        as_ada.post(reverse("operation_pauses", args=[operation.pk]))
        as_ada.post(reverse("operation_cancellations", args=[operation.pk]))
        drives.one_round(operation.pk)
        assert "2 not tried" in text_of(as_ada.get(operation.get_absolute_url()))

    def test_that_discards_many_is_agreed_to_by_another(self, group, unit, as_ada, settings):
        settings.DISCARD_ALONE_UP_TO = 2
        operation = chosen(as_ada, group, do="discard")
        terms = {"per_minute": "600", "reason_code": "duplicate", "note": "posted twice"}
        as_ada.post(reverse("operation_confirmations", args=[operation.pk]), terms)
        assert "Another operator of Finance has to agree" in text_of(as_ada.get(operation.get_absolute_url()))
        assert as_ada.post(reverse("operation_seconds", args=[operation.pk])).status_code == 403

        bob = browser_of(make.person("bob", "view", "operate", of=unit))
        assert "posted twice" in text_of(bob.get(operation.get_absolute_url()))
        assert bob.post(reverse("operation_seconds", args=[operation.pk])).status_code == 302
        assert Operation.objects.get().status == "running"


ACTS = ["takes", "parkings", "fixes", "reopenings", "tickets", "merges", "splits", "operations"]
TYPED = {
    "park-hours": "8", "park-reason": "x", "fix-reason": "x", "reopen-reason": "x", "merge-reason": "x",
    "name": "workflow", "value": "closing", "act": "redrive", "rows": "all",
}  # fmt: skip
ON_OPERATIONS = ["confirmations", "seconds", "pauses", "resumptions", "cancellations"]


class TestWhoMayNot:
    @pytest.fixture
    def operation(self, group, as_ada):
        return chosen(as_ada, group)

    @pytest.mark.parametrize("name", ACTS)
    def test_a_stranger_finds_no_group_and_nothing_changes_by_looking(self, group, as_eve, as_ada, name):
        assert as_eve.get(group.get_absolute_url()).status_code == 404
        assert as_eve.post(act(group, name), TYPED).status_code == 404
        assert as_ada.get(act(group, name)).status_code == 405

    @pytest.mark.parametrize("name", ON_OPERATIONS)
    def test_a_stranger_finds_no_operation(self, operation, as_eve, as_ada, name):
        terms = {"per_minute": "60", "stop_percent": "0"}
        assert as_eve.get(operation.get_absolute_url()).status_code == 404
        assert as_eve.post(reverse(f"operation_{name}", args=[operation.pk]), terms).status_code == 404
        assert as_ada.get(reverse(f"operation_{name}", args=[operation.pk])).status_code == 405

    def test_a_viewer_reads_everything_and_is_offered_nothing(self, group, operation, as_vera):
        for address in (
            group.get_absolute_url(),
            f"{group.get_absolute_url()}?tab=values",
            operation.get_absolute_url(),
        ):
            page = text_of(as_vera.get(address)).split('<main id="main"')[1]
            assert 'method="post"' not in page
        assert as_vera.post(act(group, "takes")).status_code == 403
        assert as_vera.post(reverse("operation_cancellations", args=[operation.pk])).status_code == 403
