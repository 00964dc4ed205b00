"""What a reviewer who is new to it does on the review page and in the queue, by key, by finger and without a script."""

import pytest

from approvals.models import ApprovalRequest
from tests import make


@pytest.fixture
def asked(unit, people):
    return make.request("48.20", by=make.actor(people))


class TestTheKeyForAQuestion:
    def test_opens_the_fold_and_puts_the_person_where_they_write(self, asked, opened):
        grace = opened("grace")
        grace.page.goto(asked.get_absolute_url())
        grace.sent.clear()

        grace.page.keyboard.press("s")
        grace.page.keyboard.type("as? Which invoice")

        assert grace.page.input_value("#question_question") == "as? Which invoice"
        assert "POST" not in grace.sent

    def test_stands_in_the_list_of_keys_and_beside_its_button(self, asked, opened):
        page = opened("grace").page
        page.goto(asked.get_absolute_url())

        assert page.locator("#fold-question summary kbd").inner_text() == "s"
        page.keyboard.press("?")
        assert "write a question to send it back with" in page.inner_text("#help")

    def test_sends_it_back_with_the_keyboard_alone(self, asked, opened):
        page = opened("grace").page
        page.goto(asked.get_absolute_url())

        page.keyboard.press("s")
        page.keyboard.type("Which invoice?")
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("text=Your question is sent")

        assert ApprovalRequest.objects.get(pk=asked.pk).status == "sent_back"
