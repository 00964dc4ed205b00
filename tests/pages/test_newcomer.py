"""What a reviewer who is new to it is told at the moment they need it, without having read a manual."""

import re

import pytest
from django.urls import reverse
from django.utils.html import strip_tags

from approvals.models import ApprovalRequest, Decision
from approvals.operations.escalation import escalate_due
from approvals.operations.questions import reply, send_back
from tests import make
from tests.pages.asking import PART, browser_of
from tests.pages.test_query_budget import cost
from tests.pages.test_review import decide


def text(browser, request):
    """The page's main words, as a person reads them: without tags, blanks in one."""
    return " ".join(strip_tags(browser.get(request.get_absolute_url()).content.decode()).split())


@pytest.fixture
def two_groups(unit, grace, linus):
    """One from Finance, of which grace is, and one from Risk, of which linus is."""
    make.group("finance", grace)
    make.group("risk", linus)
    make.policy(needs=make.needs("1 from finance", "1 from risk"))
    return make.request("4860.00")


class TestWhatOneSignsFor:
    def test_is_said_before_deciding(self, two_groups, as_grace, as_linus):
        assert "You sign for: Finance" in text(as_grace, two_groups)
        assert "You sign for: Risk" in text(as_linus, two_groups)

    def test_is_the_group_that_is_still_needed_of_somebody_in_both(self, unit, grace, linus):
        make.group("finance", grace, linus)
        make.group("risk", linus)
        make.policy(needs=make.needs("1 from finance", "1 from risk"))
        request = make.approved(make.request("4860.00"), grace)

        assert "You sign for: Risk" in text(browser_of(linus), request)

    def test_is_the_unit_where_no_group_is_asked(self, unit, as_grace):
        assert "You sign for: any reviewer of Finance" in text(as_grace, make.request())

    def test_is_not_said_where_a_signature_would_not_count(self, two_groups, unit):
        ivan = make.person("ivan", "view", "review", of=unit)

        page = text(browser_of(ivan), two_groups)

        assert "You sign for" not in page
        assert "Your signature would not count here" in page


class TestWhatOneSentBack:
    @pytest.fixture
    def asked(self, unit, grace):
        request = make.request("48.20", reference="ADJ-ASKED")
        send_back(
            request_id=request.pk, by=make.actor(grace), digest=request.digest, revision=1, question="Which invoice?"
        )
        return request

    def work(self, browser):
        page = browser.get(reverse("work")).content.decode()
        return " ".join(strip_tags(page.partition('id="sent-back"')[2].partition("</section>")[0]).split())

    def test_stands_on_the_work_page_until_it_is_answered_and_then_with_the_answer(self, asked, as_grace, ada):
        before = self.work(as_grace)
        reply(request_id=asked.pk, by=make.actor(ada), text="Number 88213")
        after = self.work(as_grace)

        assert "Sent back by me 1" in before
        assert all(words in before for words in ("Waits for an answer", "ADJ-ASKED", "“Which invoice?”"))
        assert all(words in after for words in ("Answered", "ada answered", "“Number 88213”"))

    def test_leaves_it_once_they_have_decided(self, asked, grace, as_grace, ada):
        reply(request_id=asked.pk, by=make.actor(ada), text="Number 88213")
        make.approved(ApprovalRequest.objects.get(pk=asked.pk), grace)

        assert "You wait for no answer" in self.work(as_grace)

    def test_leaves_it_after_the_first_of_two_signatures(self, unit, grace, as_grace, ada):
        make.policy()
        request = make.request("4860.00")
        send_back(
            request_id=request.pk, by=make.actor(grace), digest=request.digest, revision=1, question="Why so much?"
        )
        reply(request_id=request.pk, by=make.actor(ada), text="It is the quarter")
        shown = self.work(as_grace)
        make.approved(ApprovalRequest.objects.get(pk=request.pk), grace)

        assert "It is the quarter" in shown
        assert "You wait for no answer" in self.work(as_grace)

    def test_is_not_on_the_pages_of_others(self, asked, as_linus, as_eve):
        assert "You wait for no answer" in self.work(as_linus)
        assert "You wait for no answer" in self.work(as_eve)

    def test_costs_the_same_however_many(self, asked, grace, as_grace):
        few = cost(as_grace, reverse("work"))
        for _ in range(3):
            more = make.request()
            send_back(request_id=more.pk, by=make.actor(grace), digest=more.digest, revision=1, question="And this?")

        assert cost(as_grace, reverse("work")) == few <= 15


class TestAfterSigning:
    def test_says_who_is_waited_for_and_nothing_of_approving_or_signing_alone(self, two_groups, grace, as_grace):
        make.approved(two_groups, grace)

        page = text(as_grace, two_groups)

        assert "It waits for one from Risk now." in page
        assert all(words in page for words in ("What happens next", "If one of you rejects", "If nobody decides"))
        assert not any(words in page for words in ("If you approve", "If you reject", "Break glass"))

    def test_offers_to_sign_alone_once_the_others_were_reminded(self, two_groups, grace, as_grace):
        make.approved(two_groups, grace)
        for column in ("created_at", "decide_by", "next_notice_at"):
            make.later("approvals_approvalrequest", column, two_groups.pk, 50_000)
        escalate_due(by=make.MAKER)

        assert "Break glass" in text(as_grace, two_groups)

    def test_tells_whoever_decides_nothing_what_others_decide(self, two_groups, as_vera):
        page = text(as_vera, two_groups)

        assert "If it is approvedIt takes 2 signatures; still needed: one from Finance and one from Risk." in page
        assert "If you" not in page


class TestAfterSendingBack:
    def test_says_who_answers_and_leads_on_without_a_button_that_does_nothing(self, unit, as_grace):
        request, other = make.request(), make.request()
        said = {"digest": request.digest, "revision": request.revision, "question": "Which invoice?"}

        page = as_grace.post(reverse("approval_questions", args=[request.pk]), said, headers=PART).content.decode()

        assert "It waits for the answer: from the agent" in page
        assert "Record decision" not in page
        assert "If you approve" not in page
        assert f'href="{other.get_absolute_url()}" data-focus' in page


class TestReasons:
    def test_of_another_kind_are_refused_with_one_message_at_their_field(self, unit, as_grace):
        page = decide(as_grace, make.request(), "approve", headers=PART, reason_code="question_not_answered")

        form = page.content.decode().partition('id="decision-form"')[2].partition("</form>")[0]
        assert page.status_code == 422
        assert form.count("is no reason to approve") == 1
        assert 'name="reason_code"' in form.partition("is no reason to approve")[0].rpartition('class="field"')[2]

    def test_say_that_the_answer_given_is_none(self, unit, as_grace):
        request = make.request()

        decide(as_grace, request, "reject", reason_code="question_not_answered")

        assert Decision.objects.get(request=request).get_reason_code_display() == "Question not answered"

    def test_stand_in_groups_by_the_answer_they_fit(self, unit, as_grace):
        page = as_grace.get(make.request().get_absolute_url()).content.decode()

        to_reject = page.partition('<optgroup label="To reject">')[2].partition("</optgroup>")[0]
        assert "Question not answered" in to_reject
        assert "Evidence checked" not in to_reject


class TestOneFault:
    @pytest.mark.parametrize(
        ("fault", "words", "field"),
        [
            ({"reason_code": ""}, "Choose the reason that fits best.", "reason_code"),
            ({"verdict": ""}, "Choose Approve or Reject.", "verdict"),
            ({"critical": "1.00"}, "It is not the value that would be signed", "critical"),
            ({"viewed": ["act"]}, "Still to view", "viewed"),
            ({"check_0": "no"}, "You answered no, so this cannot be approved", "check_0"),
            ({"reason_code": "other"}, "The reason “other” needs a note.", "note"),
        ],
    )
    def test_is_said_once_beside_its_field_which_takes_the_focus(self, unit, as_grace, fault, words, field):
        make.policy(checks=["Does it match the statement?"])
        request = make.request("4860.00")

        reply = decide(as_grace, request, headers=PART, **{"check_0": "yes", **fault})

        page = reply.content.decode()
        assert reply.status_code == 422
        assert page.count('class="fault"') == 1
        assert re.search(words, page.partition('class="fault"')[2].partition("</p>")[0])
        assert "data-errors" not in page
        assert "data-refusal" not in page
        focused = re.findall(r"<[^>]* autofocus[^>]*>", page)
        assert [f'name="{field}"' in one and 'aria-invalid="true"' in one for one in focused] == [True]

    def test_of_several_is_listed_above_them_where_the_focus_goes(self, unit, as_grace):
        page = decide(as_grace, make.request(), headers=PART, verdict="", reason_code="").content.decode()

        assert "2 things to put right" in page
        assert "data-errors" in re.search(r"<[^>]* autofocus[^>]*>", page)[0]


class TestWhoHasNoRole:
    """An empty list would say that nothing waits and nothing is stuck."""

    def test_is_told_so_on_every_list(self, unit):
        make.request()
        browser = browser_of(make.person("ned"))

        for name in ("work", "approvals", "executions", "failure_groups", "alerts", "unknown_outcomes"):
            page = browser.get(reverse(name)).content.decode()
            assert "You have no role in any business unit" in page, name

    def test_is_nobody_with_a_role_anywhere(self, unit, as_grace, as_eve):
        for browser in (as_grace, as_eve):
            assert "You have no role" not in browser.get(reverse("work")).content.decode()

    def test_is_the_first_administrator_of_a_new_installation_and_is_led_to_the_first_unit(self, db, django_user_model):
        page = browser_of(django_user_model.objects.create_superuser("root")).get(reverse("work")).content.decode()

        assert "There is no business unit yet." in page
        assert f'href="{reverse("admin:budgets_businessunit_changelist")}"' in page
        assert "or activate it where another administrator has drafted it" in page
        assert "You have no role" not in page

    def test_is_led_to_no_page_that_is_refused(self, db):
        page = browser_of(make.person("ned")).get(reverse("work")).content.decode()

        assert "Everything belongs to one: ask an administrator for the first." in page
        assert "/admin/" not in page

    def test_is_an_administrator_and_reads_who_gives_one(self, unit, django_user_model):
        page = browser_of(django_user_model.objects.create_superuser("root")).get(reverse("work")).content.decode()

        assert "<code>manage.py roles</code> gives one." in page
        assert "Ask an administrator" not in page
