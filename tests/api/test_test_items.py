"""No agent sees a test item through the API: not in a list, not by its id, not in the trail, and it cannot answer for it."""

import pytest
from django.contrib.auth.models import Permission

from approvals.models import ApprovalRequest
from orchestrator.operations import test_items
from tests import make
from tests.api.conftest import cancel_order, make_person, signed_in, voice


@pytest.fixture
def item(api, unit, world):
    make.policy("cancels", tool="orders.cancel", condition="", required=1, test_items=True)
    boss = make_person("boss", unit, "view")
    boss.is_staff = True
    boss.save()
    boss.user_permissions.add(Permission.objects.get(codename="change_approvalpolicy"))
    action = api.post("actions/", cancel_order())[1]
    return test_items.write(
        action_id=action["id"], arguments={"order": "B2"}, expected="bad", hint="The order is shipped already",
        by=make.actor(boss),
    )  # fmt: skip


class TestAnAgent:
    def test_lists_its_own_requests_and_no_test_item(self, api, item):
        found = api.get("approvals/")[1]["results"]

        assert [row["id"] for row in found] == [str(ApprovalRequest.objects.get(is_test=False).pk)]

    def test_is_told_there_is_no_such_request_or_action(self, api, item):
        assert api.get(f"approvals/{item.request_id}/")[0] == 404
        assert api.get(f"actions/{item.request.subject_id}/")[0] == 404
        assert api.post(f"approvals/{item.request_id}/replies/", {"reply": "It is right"})[0] == 404
        assert api.post(f"actions/{item.request.subject_id}/redeem/")[0] == 404

    def test_finds_no_trace_of_it_in_the_trail(self, api, item):
        status, body, _ = api.get(f"audit/events/?object={item.request_id}")

        assert (status, body["results"]) == (200, [])
        assert api.get("audit/events/?event=seeded_item.waiting")[1]["results"] == []


class TestAPerson:
    def test_reads_and_decides_it_like_any_other(self, grace, item):
        browser = signed_in(grace)
        _, shown, _ = browser.get(f"approvals/{item.request_id}/")
        other = browser.get(f"approvals/{ApprovalRequest.objects.get(is_test=False).pk}/")[1]

        status, decided, _ = browser.post(
            f"approvals/{item.request_id}/decisions/", voice(shown), **{"Idempotency-Key": "one"}
        )

        assert shown.keys() == other.keys()
        assert (status, decided["status"]) == (201, "void")
        item.refresh_from_db()
        assert item.status == "missed"
