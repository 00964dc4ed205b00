"""The published contract: OpenAPI 3.1 that says what every address takes, and a page that keeps the site's CSP."""

import json

import pytest
from django.test import Client
from jsonschema import Draft202012Validator

from orchestrator.api.urls import urlpatterns
from orchestrator.models import Action
from tests import make
from tests.api.conftest import cancel_order, signed_in, voice


@pytest.fixture
def contract(db):
    answer = Client().get("/api/v1/schema/")
    assert answer["Content-Type"].startswith("application/vnd.oai.openapi+json")
    return json.loads(answer.content)


def test_names_every_address_and_its_scopes(contract):
    operations = [(path, method) for path, item in contract["paths"].items() for method in item]

    assert contract["openapi"] == "3.1.0"
    assert len(contract["paths"]) == len(urlpatterns) - 3
    assert ("/api/v1/actions/{action_id}/redemptions/", "post") in operations
    assert "`actions:redeem`" in contract["paths"]["/api/v1/actions/{action_id}/redemptions/"]["post"]["description"]
    assert contract["paths"]["/api/v1/approvals/{request_id}/decisions/"]["post"]["description"] == "Signed-in people."


def test_every_operation_answers_problems_and_every_post_takes_a_key(contract):
    for path, item in contract["paths"].items():
        for method, operation in item.items():
            names = [parameter["name"] for parameter in operation.get("parameters", [])]
            assert "application/problem+json" in operation["responses"]["default"]["content"], path
            keeps = method == "post" and not path.endswith("/confirmations/")
            assert ("Idempotency-Key" in names) == keeps, path
            assert all(("Idempotency-Replayed" in headers) == keeps for headers in headers_of(operation)), path


def headers_of(operation):
    return [answer.get("headers", {}) for status, answer in operation["responses"].items() if status != "default"]


def test_every_address_lists_those_who_may_come_in(contract):
    def security(path, method="post"):
        return [name for scheme in contract["paths"][f"/api/v1/{path}"][method]["security"] for name in scheme]

    assert security("approvals/{request_id}/decisions/") == ["session"]
    assert security("actions/{action_id}/redemptions/") == ["token"]
    assert sorted(security("actions/", "get")) == ["session", "token"]


def test_headers_to_go_on_with_are_described(contract):
    approval = contract["paths"]["/api/v1/approvals/{request_id}/"]["get"]
    decision = contract["paths"]["/api/v1/approvals/{request_id}/decisions/"]["post"]

    assert "ETag" in approval["responses"]["200"]["headers"]
    assert {"ETag", "Idempotency-Replayed"} <= set(decision["responses"]["201"]["headers"])
    assert "Retry-After" in decision["responses"]["default"]["headers"]


@pytest.fixture
def faults(contract):
    """Sends a request and says where its answer is none that the contract describes."""

    def look(caller, method, path, body=None, **ids):
        status, answer, _ = caller.send(method, path.format(**ids), body)
        described = contract["paths"][f"/api/v1/{path.partition('?')[0]}"][method.lower()]["responses"][str(status)]
        schema = {**described["content"]["application/json"]["schema"], "components": contract["components"]}
        wrong = Draft202012Validator(schema).iter_errors(answer)
        return [(path, "/".join(map(str, error.absolute_path)), error.message[:200]) for error in wrong]

    return look


def test_ordinary_answers_of_what_ran_are_as_described(faults):
    reader = signed_in(make.person("every", "view", "operate", "review", "audit"))
    letter, waiting, ended = make.letter(), make.execution("waiting"), make.execution("succeeded")
    approval = Action.objects.get(execution_id=waiting.pk).approval_id
    lists = (
        "executions/",
        "traces/",
        "approvals/",
        "actions/",
        "dead-letters/",
        "kpis/",
        "health/",
        "budgets/",
        "costs/",
    )
    ones = ("executions/{execution_id}/", "executions/{execution_id}/steps/", "executions/{execution_id}/evidence/",
            "executions/{execution_id}/trace/")  # fmt: skip

    assert [fault for path in (*lists, "audit/events/") for fault in faults(reader, "GET", path)] == []
    assert [fault for path in ones for run in (waiting, ended, letter.execution)
            for fault in faults(reader, "GET", path, execution_id=run.pk)] == []  # fmt: skip
    assert faults(reader, "GET", "approvals/{request_id}/", request_id=approval) == []


def test_ordinary_answers_of_the_gate_are_as_described(faults, api, grace):
    bodies = (cancel_order(), {"tool": "orders.get", "arguments": {}}, {"tool": "nothing", "arguments": {}})
    assert [fault for body in bodies for fault in faults(api, "POST", "actions/", body)] == []

    granted, held = (api.post("actions/", body)[1] for body in (bodies[1], cancel_order("B2")))
    ticket = api.post(f"actions/{granted['id']}/redemptions/")[1]
    ended = {"fence": ticket["fence"], "outcome": "business_error", "result": [1], "error": {"message": "Closed"}}
    assert faults(api, "POST", "actions/{action_id}/outcomes/", ended, action_id=granted["id"]) == []

    browser, number = signed_in(grace), held["approval"]["id"]
    read = browser.get(f"approvals/{number}/")[1]
    assert faults(browser, "POST", "approvals/{request_id}/claims/", {}, request_id=number) == []
    assert faults(browser, "POST", "approvals/{request_id}/decisions/", voice(read), request_id=number) == []
    assert faults(browser, "GET", "approvals/{request_id}/", request_id=number) == []
    assert faults(api, "GET", "actions/{action_id}/?wait=1", action_id=held["id"]) == []


def test_lists_are_pages_with_their_filters(contract):
    listing = contract["paths"]["/api/v1/actions/"]["get"]
    shape = listing["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]

    assert set(contract["components"]["schemas"][shape]["properties"]) == {"results", "next", "previous", "count"}
    assert {"limit", "cursor", "status", "tool"} <= {parameter["name"] for parameter in listing["parameters"]}


def test_making_it_warns_of_nothing(db, capsys):
    Client().get("/api/v1/schema/")

    assert capsys.readouterr().err == ""


def test_lists_and_their_rows_have_names_of_their_own(contract):
    names = {
        path: item["get"]["operationId"]
        for path, item in contract["paths"].items()
        if path in {"/api/v1/actions/", "/api/v1/actions/{action_id}/"}
    }

    assert set(names.values()) == {"actions_list", "actions_retrieve"}


@pytest.mark.django_db
def test_the_page_has_no_inline_script_or_style():
    answer = Client().get("/api/v1/docs/")
    page = answer.content.decode()

    assert answer.status_code == 200
    assert "<style" not in page
    assert "style=" not in page
    assert all("src=" in tag for tag in page.split("<script")[1:])
    script = Client().get("/api/v1/docs/?script=")
    assert (script.status_code, script["Content-Type"].split(";")[0]) == (200, "application/javascript")
