"""`approvals/ID/readings/`: signed-in people have the record read again; machines never."""

import pytest

from approvals.models import ApprovalRequest
from tests import make
from tests.api.conftest import cancel_order, signed_in

pytestmark = pytest.mark.django_db


class TestAReading:
    def test_is_asked_for_once_and_answered_by_a_worker_later(self):
        held = ApprovalRequest.objects.get(execution_id=make.execution("waiting").pk)
        browser = signed_in(make.person("grace", "view", "review"))

        status, shown, _ = browser.post(f"approvals/{held.pk}/readings/")

        assert (status, shown["record_found"], shown["record_read_at"]) == (201, "", None)
        assert shown["reading_asked_at"] is not None
        assert browser.post(f"approvals/{held.pk}/readings/")[1]["reading_asked_at"] == shown["reading_asked_at"]

    def test_of_what_has_no_record_is_refused(self, api, grace):
        approval = api.post("actions/", cancel_order())[1]["approval"]["id"]

        status, problem, _ = signed_in(grace).post(f"approvals/{approval}/readings/")

        assert (status, problem["code"]) == (409, "no_record")

    def test_is_no_agents_to_ask(self, api):
        approval = api.post("actions/", cancel_order())[1]["approval"]["id"]

        assert api.post(f"approvals/{approval}/readings/")[0] == 403
