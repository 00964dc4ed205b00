"""What is done from the queue: claims in the row, bulk acts behind a preview, saved views, folded groups. All of it by POST."""

import pytest
from django.urls import reverse

from approvals.models import ApprovalRequest, BulkOperation, Claim, DefaultView, SavedView
from approvals.operations import saved_views
from audit.models import AuditEvent
from audit.refusals import Forbidden, NotVisible
from tests import make
from tests.pages.asking import PART


@pytest.fixture
def request_(unit, ada):
    return make.request(by=make.actor(ada))


def text(answer):
    return answer.content.decode()


def claim(browser, request, **more):
    return browser.post(reverse("approval_claim", args=[request.pk]), **more)


class TestClaim:
    def test_leads_back_to_where_it_was_sent_from_and_is_shown_there(self, as_grace, request_):
        answer = claim(as_grace, request_, headers={"Referer": "http://testserver/approvals/?tier=customer_facing"})

        assert answer.url == "/approvals/?tier=customer_facing"
        assert '<span class="strong">you</span> until' in text(as_grace.get(answer.url))

    def test_asked_for_by_htmx_answers_with_the_row(self, as_grace, request_):
        answer = claim(as_grace, request_, headers={**PART, "HX-Target": f"tr#request-{request_.pk}"})

        assert text(answer).strip().startswith(f'<tr data-row id="request-{request_.pk}"')
        assert "until" in text(answer)

    def test_is_named_to_everybody_else(self, as_grace, as_linus, request_):
        claim(as_grace, request_)

        assert "grace <span" in text(as_linus.get("/approvals/"))
        page = text(as_linus.get(request_.get_absolute_url()))
        assert "This request is held by grace until" in page
        assert "decision-form" not in page

    def test_held_by_somebody_else_is_a_refusal_that_says_until_when(self, as_grace, as_linus, request_):
        claim(as_grace, request_)

        answer = claim(as_linus, request_)

        assert answer.status_code == 409
        assert "held by grace until" in text(answer)

    def test_can_be_released_and_renewed(self, as_grace, request_):
        claim(as_grace, request_)
        page = text(as_grace.get(request_.get_absolute_url()))
        assert "Held by you" in page
        assert "Hold longer" in page

        as_grace.post(reverse("approval_claim_renewal", args=[request_.pk]))
        as_grace.post(reverse("approval_claim_release", args=[request_.pk]))

        assert not Claim.objects.running().exists()

    @pytest.mark.parametrize("name", ["approval_claim", "approval_claim_renewal", "approval_claim_release"])
    def test_is_nothing_a_get_does(self, as_grace, request_, name):
        assert as_grace.get(reverse(name, args=[request_.pk])).status_code == 405

    def test_of_another_units_request_is_not_there(self, as_eve, request_):
        assert claim(as_eve, request_).status_code == 404

    def test_of_ones_own_request_is_refused(self, unit, as_grace, grace):
        assert claim(as_grace, make.request(by=make.actor(grace))).status_code == 403

    def test_changes_the_version_that_other_pages_hold(self, as_grace, as_linus, request_):
        def version():
            review = text(as_linus.get(request_.get_absolute_url())).split('id="review"')[1]
            return review.split('data-live-version="')[1].split('"')[0]

        before = version()
        claim(as_grace, request_)

        assert version() != before


class TestFiltersByHolder:
    def test_find_mine_and_nobodys(self, as_grace, as_linus, unit, ada):
        mine, free = make.request(reference="MINE"), make.request(reference="FREE")
        claim(as_grace, mine)

        assert "for MINE" in text(as_grace.get("/approvals/?held=me"))
        assert "for FREE" not in text(as_grace.get("/approvals/?held=me"))
        assert "for MINE" not in text(as_linus.get("/approvals/?held=nobody"))
        assert free.title in text(as_linus.get("/approvals/?held=nobody"))


def chosen(browser, act, *requests, **more):
    """Send the bar under the queue; the preview's address."""
    return browser.post(reverse("approval_bulk"), {"act": act, "item": [str(one.pk) for one in requests], **more})


class TestBulk:
    @pytest.fixture(autouse=True)
    def three(self, unit, ada):
        self.rows = [make.request(reference=f"R{number}") for number in range(3)]

    def statuses(self):
        return [row.status for row in ApprovalRequest.objects.order_by("id")]

    def test_shows_the_exact_arguments_and_digests_and_does_nothing_yet(self, as_grace):
        page = text(as_grace.get(chosen(as_grace, "approve", *self.rows).url))

        for row in self.rows:
            assert row.digest in page
        assert ">R1<" in page
        assert "Approve 3 requests" in page
        assert self.statuses() == ["pending"] * 3

    def test_confirmed_lists_each_item_with_what_became_of_it(self, as_grace, linus):
        address = chosen(as_grace, "approve", *self.rows).url
        make.rejected(self.rows[0], linus)

        answer = as_grace.post(f"{address}confirmation/", {"reason_code": "evidence_checked"})
        page = text(as_grace.get(answer.url))

        assert answer.url == address
        assert "2 done, 1 refused, 0 left out" in page
        assert "already rejected" in page
        assert self.statuses() == ["rejected", "approved", "approved"]

    def test_without_a_reason_is_asked_for_one_and_keeps_the_note(self, as_grace):
        address = chosen(as_grace, "reject", *self.rows).url

        answer = as_grace.post(f"{address}confirmation/", {"note": "my careful note"})

        assert answer.status_code == 422
        assert "Choose the reason" in text(answer)
        assert "my careful note" in text(answer)
        assert self.statuses() == ["pending"] * 3

    def test_takes_the_whole_page_as_it_was_shown(self, as_grace):
        shown = ",".join(str(row.pk) for row in self.rows[:2])

        page = text(as_grace.get(chosen(as_grace, "reject", rows="page", page=shown).url))

        assert "Reject 2 requests" in page

    def test_takes_all_that_match_the_filters_frozen(self, as_grace):
        address = chosen(as_grace, "reject", rows="matching", query="q=R1").url
        make.request(reference="R1-later")

        assert "Reject 1 request<" in text(as_grace.get(address))

    def test_of_what_one_may_not_see_freezes_nothing(self, as_eve):
        answer = chosen(as_eve, "reject", *self.rows)

        assert answer.status_code == 409
        assert "No request is selected" in text(answer)
        assert not BulkOperation.objects.exists()

    def test_is_seen_and_confirmed_by_its_person_only(self, as_grace, as_linus):
        address = chosen(as_grace, "reject", *self.rows).url

        assert as_linus.get(address).status_code == 404
        assert as_linus.post(f"{address}confirmation/", {"reason_code": "duplicate"}).status_code == 404

    def test_is_nothing_a_get_does(self, as_grace):
        assert as_grace.get(reverse("approval_bulk")).status_code == 405
        address = chosen(as_grace, "reject", *self.rows).url
        assert as_grace.get(f"{address}confirmation/").status_code == 405

    def test_with_nonsense_is_refused(self, as_grace):
        assert chosen(as_grace, "delete", *self.rows).status_code == 422
        assert as_grace.post(reverse("approval_bulk"), {"act": "claim", "item": ["x", ""]}).status_code == 409

    def test_assigns_to_a_reviewer_of_the_unit_and_offers_nobody_else(self, as_grace, linus, vera):
        address = chosen(as_grace, "assign", *self.rows).url
        page = text(as_grace.get(address))
        assert f'<option value="{linus.pk}">linus</option>' in page
        assert ">vera<" not in page

        as_grace.post(f"{address}confirmation/", {"assignee": linus.pk})

        assert text(as_grace.get("/approvals/")).count("asked: linus") == 3

    def test_marks_equal_rows_for_approving_together_and_no_others(self, as_grace):
        make.policy()
        make.request("9999.00")
        page = text(as_grace.get("/approvals/"))

        marks = [part.split('"')[0] for part in page.split('data-alike="')[1:]]
        assert len({mark for mark in marks if mark}) == 1
        assert marks.count("") == 1


class TestSavedViews:
    def save(self, browser, **fields):
        return browser.post(reverse("approval_views"), {"name": "Large ones", "query": "tier=financial", **fields})

    def test_keep_a_state_under_a_name_and_its_address(self, as_grace, unit):
        answer = self.save(as_grace)

        assert answer.url == "/approvals/?tier=financial"
        page = text(as_grace.get("/approvals/?state=pending"))
        assert '<a class="chip" href="/approvals/?tier=financial">Large ones' in page

    def test_keep_the_filters_only_and_in_one_order(self, as_grace, unit):
        self.save(as_grace, query="q=x&after=abc&tier=financial&nonsense=1&state=")

        assert SavedView.objects.get().query == "tier=financial&q=x"

    def test_of_one_name_replace_each_other(self, as_grace, unit):
        self.save(as_grace)
        self.save(as_grace, query="q=other")

        assert [view.query for view in SavedView.objects.all()] == ["q=other"]

    def test_say_what_they_take_the_place_of(self, as_grace, unit):
        def told(**fields):
            self.save(as_grace, **fields)
            return text(as_grace.get("/approvals/?state=pending"))

        place = "It takes the place of the one you had by this name"
        assert place not in told(unit=str(unit.pk))
        assert f"{place}." in told(unit=str(unit.pk), query="q=other")
        assert f"{place}, and is no longer shared as that was." in told(query="q=other")

    def test_are_private_unless_shared_with_the_units_reviewers(self, as_grace, as_linus, as_vera, unit):
        self.save(as_grace)
        assert "Large ones" not in text(as_linus.get("/approvals/"))

        self.save(as_grace, unit=str(unit.pk))

        assert "Large ones" in text(as_linus.get("/approvals/"))
        assert "Large ones" not in text(as_vera.get("/approvals/"))

    def test_are_shared_by_reviewers_of_the_unit_only(self, vera, unit):
        with pytest.raises(Forbidden):
            saved_views.save(name="x", query={}, unit_id=unit.pk, by=make.actor(vera))

    def test_can_be_what_the_bare_address_leads_to(self, as_grace, unit):
        self.save(as_grace, is_default="on")

        assert as_grace.get("/approvals/").url == "/approvals/?tier=financial"
        assert as_grace.get("/approvals/?state=pending").status_code == 200

        as_grace.post(reverse("approval_no_default_view"))
        assert as_grace.get("/approvals/").status_code == 200

    def test_shared_ones_can_be_another_persons_default_and_vanish_with_their_owner_deleting_them(
        self, as_grace, as_linus, unit
    ):
        self.save(as_grace, unit=str(unit.pk))
        view = SavedView.objects.get()
        as_linus.post(reverse("approval_default_view", args=[view.pk]))
        assert as_linus.get("/approvals/").url == "/approvals/?tier=financial"

        as_grace.post(reverse("approval_view_deletion", args=[view.pk]))

        assert not DefaultView.objects.exists()
        assert as_linus.get("/approvals/").status_code == 200

    def test_of_others_are_not_there_to_delete_or_to_prefer(self, as_grace, linus, unit):
        self.save(as_grace)

        for act in (saved_views.delete, saved_views.prefer):
            with pytest.raises(NotVisible):
                act(view_id=SavedView.objects.get().pk, by=make.actor(linus))

    def test_without_a_name_are_refused(self, as_grace, unit):
        assert self.save(as_grace, name=" ").status_code == 422

    def test_leave_a_trace(self, as_grace, unit):
        self.save(as_grace, is_default="on")
        as_grace.post(reverse("approval_view_deletion", args=[SavedView.objects.get().pk]))

        told = AuditEvent.objects.filter(event__startswith="saved_view.").order_by("seq")
        assert [event.event for event in told] == ["saved_view.saved", "saved_view.made_default", "saved_view.deleted"]


class TestFlood:
    @pytest.fixture(autouse=True)
    def noisy(self, unit, settings):
        settings.QUEUE_SHOWN_PER_AGENT = 3
        self.loud = [make.request(reference=f"LOUD{number}") for number in range(5)]
        self.calm = make.request(reference="CALM", named="calm")

    def test_folds_what_an_agent_has_beyond_its_share_and_shows_the_rest(self, as_grace):
        page = text(as_grace.get("/approvals/"))

        assert [number for number in range(5) if f"for LOUD{number}<" in page] == [0, 1, 2]
        assert "for CALM<" in page
        assert "2 more from poster" in page

    def test_hides_nothing_from_the_counts(self, as_grace):
        page = text(as_grace.get("/approvals/"))

        assert '<span class="count">6</span>' in page
        assert "All 6 that match, folded ones too" in page

    def test_leads_to_the_folded_ones(self, as_grace):
        page = text(as_grace.get("/approvals/?agent=poster&action=erp.post_adjustment"))

        assert [number for number in range(5) if f"for LOUD{number}<" in page] == [0, 1, 2, 3, 4]
        assert "more from" not in page

    def test_goes_away_with_what_was_too_much(self, as_grace, linus):
        for request in self.loud[:2]:
            make.rejected(request, linus)

        assert "more from" not in text(as_grace.get("/approvals/"))

    def test_never_folds_what_people_ask_for_without_an_agent(self, as_grace):
        ApprovalRequest.objects.update(agent="")

        assert "more from" not in text(as_grace.get("/approvals/"))

    def test_folds_each_tool_by_itself(self, as_grace, unit):
        other = make.tool("erp.close_account")
        for _ in range(2):
            make.request(using=other)
        page = text(as_grace.get("/approvals/"))

        assert "2 more from poster" in page
        assert "asking for erp.close_account" in page
