"""`traces/ID/` and `executions/ID/trace/`: the same parts, page by page; what is of another unit is not there."""

from uuid import uuid4

import pytest

from orchestrator.models import Action
from tests import make
from tests.api.conftest import make_person, signed_in

pytestmark = pytest.mark.django_db


class TestATrace:
    @pytest.fixture
    def execution(self):
        return make.execution("waiting")

    @pytest.fixture
    def browser(self, execution):
        return signed_in(make.person("grace", "view", "review"))

    def test_is_found_by_its_execution_too(self, browser, execution):
        by_id = browser.get(f"traces/{execution.trace_id}/")
        by_execution = browser.get(f"executions/{execution.pk}/trace/")

        assert by_id[0] == by_execution[0] == 200
        assert by_id[1] == by_execution[1]
        assert {part["kind"] for part in by_id[1]["results"]} == {"execution", "step", "tool", "policy", "approval"}

    def test_comes_in_pages(self, browser, execution):
        seen, address = [], f"traces/{execution.trace_id}/?limit=2"
        while address:
            _, answer, _ = browser.get(address)
            seen += [part["id"] for part in answer["results"]]
            address = (answer["next"] or "").partition("/api/v1/")[2]

        assert len(seen) == len(set(seen)) == answer["parts"] > 2

    @pytest.mark.parametrize("query", ["limit=0", "limit=2001", "limit=x", "after=-1", "page=2"])
    def test_says_what_a_bad_parameter_should_be(self, browser, execution, query):
        status, problem, _ = browser.get(f"traces/{execution.trace_id}/?{query}")

        assert (status, problem["status"]) == (400, 400)

    def test_of_another_unit_is_not_there(self, execution):
        stranger = signed_in(make.person("stranger", "view", of=make.unit("elsewhere", "Elsewhere")))

        assert stranger.get(f"traces/{execution.trace_id}/")[0] == 404

    def test_that_was_joined_from_another_unit_tells_nobody_there_of_the_execution(self, execution, api):
        header = f"00-{execution.trace_id.hex}-00f067aa0ba902b7-01"
        assert api.post("actions/", {"tool": "orders.get", "arguments": {}}, traceparent=header)[0] == 201

        assert api.get(f"executions/{execution.pk}/trace/")[1]["code"] == "not_found"

    def test_of_a_call_that_names_a_run_of_another_system_is_its_own(self, api, world):
        _, body, _ = api.post("actions/", {"tool": "orders.get", "arguments": {}, "execution": str(uuid4())})

        status, found, _ = signed_in(make_person("reader", world, "view")).get(f"traces/{body['id']}/")
        assert (status, {part["kind"] for part in found["results"]}) == (200, {"tool", "policy"})

    def test_of_a_call_that_names_an_execution_of_ours_is_the_execution_s(self, execution, browser):
        action = Action.objects.get(execution_id=execution.pk)

        assert browser.get(f"traces/{action.pk}/")[0] == 404
