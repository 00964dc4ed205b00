"""Test items on the pages and through the API: written by administrators, unseen by agents, revealed after the decision."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from approvals.models import SeededItem
from orchestrator.operations import test_items
from tests import make
from tests.pages.asking import browser_of

HINT = "The account belongs to nobody we pay"


def text(answer):
    return answer.content.decode()


@pytest.fixture
def boss(unit):
    user = make.person("boss", "view", of=unit, staff=True)
    user.user_permissions.add(Permission.objects.get(codename="change_approvalpolicy"))
    return user


@pytest.fixture
def source(unit):
    make.policy("posts", condition="", required=1, test_items=True)
    return make.action()


@pytest.fixture
def item(source, boss):
    arguments = make.arguments("4820.00", reference="ADJ-TEST")
    return test_items.write(
        action_id=source.pk, arguments=arguments, expected="bad", hint=HINT, by=make.actor(boss)
    )  # fmt: skip


def sign(browser, request, verdict="approve", reason="evidence_checked"):
    said = make.voice(request)
    typed = {"digest": request.digest, "revision": request.revision, "verdict": verdict, "reason_code": reason,
             "viewed": said.viewed["sections"], "view": said.viewed["view"]}  # fmt: skip
    return browser.post(reverse("approval_decisions", args=[request.pk]), typed, follow=True)


class TestWriting:
    def typed(self, browser, source, **more):
        form = browser.get(reverse("action_test_items", args=[source.pk])).context["form"]
        values = {bound.name: bound.value() for bound in form.offered}
        return {**values, "expected": "bad", "hint": HINT, **more}

    def test_copies_a_past_call_with_a_changed_field(self, source, boss):
        browser = browser_of(boss)
        assert "Make a test item of it" in text(browser.get(source.get_absolute_url()))
        typed = self.typed(browser, source)
        amount = next(name for name, value in typed.items() if value == "48.20")

        answer = browser.post(reverse("action_test_items", args=[source.pk]), {**typed, amount: "9999.00"}, follow=True)

        assert "waits for its reviewers" in text(answer)
        assert HINT in text(answer)
        assert SeededItem.objects.get().changes == [{"label": "amount", "before": "48.20", "after": "9999.00"}]

    def test_keeps_what_was_typed_where_something_is_missing_or_off(self, source, boss):
        browser = browser_of(boss)
        short = browser.post(
            reverse("action_test_items", args=[source.pk]), self.typed(browser, source, hint="so what")
        )
        make.policy("posts", condition="", required=1, version=2)
        off = browser.post(reverse("action_test_items", args=[source.pk]), self.typed(browser, source))

        assert (short.status_code, off.status_code) == (422, 422)
        assert "so what" in text(short)
        assert "No policy that holds for this call has test items switched on" in text(off)
        assert HINT in text(off)

    def test_is_refused_to_others(self, source, as_grace, as_vera, as_eve):
        address = reverse("action_test_items", args=[source.pk])

        assert [browser.get(address).status_code for browser in (as_grace, as_vera, as_eve)] == [403, 403, 404]
        assert as_grace.get(reverse("test_items")).status_code == 403
        assert "Make a test item" not in text(as_grace.get(source.get_absolute_url()))

    def test_is_offered_to_no_other_staff(self, source, unit):
        """Who keeps budgets only is of the staff, too, and neither writes test items nor looks at figures."""
        clerk = make.person("clerk", "view", of=unit, staff=True)
        clerk.user_permissions.add(Permission.objects.get(codename="change_budget"))
        browser = browser_of(clerk)
        offered = {"test_items": "Test items</a>", "figures": "Figures</a>"}

        assert "Make a test item" not in text(browser.get(source.get_absolute_url()))
        for name, link in offered.items():
            assert browser.get(reverse(name)).status_code == 403
            assert link not in text(browser.get(reverse("approvals")))

    def test_says_how_to_begin_while_there_is_none(self, boss, unit):
        assert "No test item was ever written" in text(browser_of(boss).get(reverse("test_items")))


class TestTheReviewer:
    def test_cannot_tell_it_from_another_request(self, item, source, as_grace):
        test = text(as_grace.get(item.request.get_absolute_url()))

        assert "Record decision" in test
        for word in ("test item", "Test item", HINT, "boss"):
            assert word not in test, word
        assert item.request.title in text(as_grace.get(reverse("approvals")))

    def test_learns_right_after_the_decision_what_there_was_to_see(self, item, as_grace):
        page = text(sign(as_grace, item.request))

        assert "This was a test item" in page
        assert "It was known to be wrong." in page
        assert "Missed" in page
        assert HINT in page

    def test_learns_it_after_an_edit_too(self, item, as_grace):
        form = as_grace.get(item.request.get_absolute_url()).context["edit_form"]
        typed = {bound.name: bound.value() for bound in form.offered}
        amount = next(name for name, value in typed.items() if value == "4820.00")
        typed |= {amount: "48.20", "digest": item.request.digest, "revision": item.request.revision}

        page = text(as_grace.post(reverse("approval_edits", args=[item.request_id]), typed, follow=True))

        assert "This was a test item. Nothing is carried out" in page
        assert "Caught" in page


class TestInBulk:
    def test_is_revealed_beside_the_outcome(self, item, grace, as_grace):
        from approvals.operations import bulk
        from approvals.operations.bulk import Words

        operation = bulk.preview(act="reject", requests=[item.request], by=make.actor(grace))
        bulk.confirm(
            operation_id=operation.pk, by=make.actor(grace), words=Words(reason_code="wrong_amount", note="too much")
        )

        item.refresh_from_db()
        assert item.status == "caught"
        assert "This was a test item" in text(as_grace.get(reverse("approval_bulk", args=[operation.pk])))
