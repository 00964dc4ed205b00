"""The published contract: OpenAPI 3.1 that says what every address takes, and a page that keeps the site's CSP."""

import json

import pytest
from django.test import Client

from orchestrator.api.urls import urlpatterns


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
            assert ("Idempotency-Key" in names) == (method == "post"), path


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
