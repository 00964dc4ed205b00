"""What agents were refused is counted by the kind of no it was: on the page, in the file and over the API."""

import csv
import io

import pytest
from django.urls import reverse

from audit.models import AuditEvent
from orchestrator.models import Action
from orchestrator.operations.registry import import_agents
from tests import make
from tests.api.conftest import IMPORTER, Caller, cancel_order, make_person, make_token, signed_in
from tests.pages.test_drill import links, listed

pytestmark = pytest.mark.django_db
LOOK = {"tool": "orders.get", "arguments": {"order": "A1"}}


@pytest.fixture
def refusals(api, other_unit):
    """Every kind of no, some twice."""
    make.policy("no-cancelling", tool="orders.cancel", condition="true", required=0, verdict="deny", reason="Frozen")
    alien = {"name": "alien", "owner": "owner", "unit": "elsewhere", "allowed_tools": ["*"]}
    bound = {"name": "bound", "owner": "owner", "unit": "support", "allowed_tools": ["orders.cancel"]}
    import_agents([alien, bound], by=IMPORTER, file="agents.json")
    for agent, body in (
        ("triage", cancel_order()),
        ("triage", {"tool": "orders.destroy", "arguments": {}}),
        ("bound", LOOK),
        ("triage", LOOK | {"agent": "ghost"}),
        ("triage", LOOK | {"agent": "alien"}),
        ("triage", cancel_order() | {"arguments": {}}),
        ("bound", LOOK),
    ):
        status, action, _ = Caller(make_token(agent)).post("actions/", body)
        assert (status, action["verdict"]) == (201, "deny"), body
    for body in (LOOK | {"unit": "elsewhere"}, LOOK | {"agent": "other"}, LOOK | {"unit": "nowhere"}):
        assert api.post("actions/", body)[0] in (403, 422)
    assert api.post("actions/", LOOK | {"execution": str(make.execution("running").pk)})[0] == 422


@pytest.fixture
def vera(unit):
    return make_person("vera", unit, "view")


def counted(caller):
    return [(one["kind"], one["count"], one["most_by"], one["most"]) for one in caller.get("kpis/")[1]["refused"]]


def test_each_call_keeps_the_first_kind_that_holds(refusals):
    kinds = Action.objects.filter(status="denied").order_by("created_at").values_list("denial", flat=True)

    assert list(kinds) == ["policy", "tool", "tool", "tool", "boundary", "arguments", "tool"]


def test_are_counted_with_whose_they_are_mostly(refusals, vera):
    assert counted(signed_in(vera)) == [
        ("policy", 1, "triage", 1), ("tool", 4, "bound", 2), ("boundary", 1, "alien", 1), ("requests", 4, "triage", 4),
        ("arguments", 1, "triage", 1),
    ]  # fmt: skip


def test_tell_no_agent_whether_a_name_is_another_units_or_nobodys(refusals, api):
    assert counted(api) == [
        ("policy", 1, "triage", 1), ("tool", 5, "bound", 2), ("requests", 4, "triage", 4), ("arguments", 1, "triage", 1),
    ]  # fmt: skip


def test_are_the_same_in_the_file_and_lead_to_their_calls(refusals, client, vera):
    client.force_login(vera)
    page = client.get(reverse("levels")).content.decode()
    rows = list(csv.DictReader(io.StringIO(client.get(reverse("levels_refused_csv")).content.decode())))

    assert {row["kind"]: int(row["count"]) for row in rows} == {
        "policy": 1, "tool": 4, "boundary": 1, "requests": 4, "arguments": 1
    }  # fmt: skip
    found = {address: number for address, number in links(page) if "figure=refused_" in address}
    assert sorted(found.values()) == [1, 1, 1, 4]
    assert {address: listed(client, address) for address in found} == found


def test_say_the_same_of_anothers_unit_and_of_none_and_leave_it_in_the_trail_of_the_tokens_unit(refusals, api, unit):
    theirs, nobodys = (api.post("actions/", LOOK | {"unit": name})[1] for name in ("elsewhere", "nowhere"))

    assert (theirs["code"], theirs["detail"].replace("elsewhere", "")) == (
        nobodys["code"], nobodys["detail"].replace("nowhere", "")
    )  # fmt: skip
    assert theirs["code"] == "outside_unit"
    assert AuditEvent.objects.filter(event="request.refused", why="outside_unit", unit_id=unit.pk).count() == 5


def test_are_not_told_to_other_units(refusals):
    assert sum(one["count"] for one in Caller(make_token("alien", "elsewhere")).get("kpis/")[1]["refused"]) == 0


def test_of_people_are_nobodys_breach(world, other_unit, vera, api):
    signed_in(vera).post("actions/", LOOK | {"unit": "elsewhere"})

    assert api.get("kpis/")[1]["refused"][2] == {"kind": "requests", "count": 0, "most_by": "", "most": 0}


def test_from_before_kinds_were_kept_stand_apart(refusals, api):
    Action.objects.filter(denial="policy").update(denial="")

    assert api.get("kpis/")[1]["refused"][-1] == {"kind": "untold", "count": 1, "most_by": "triage", "most": 1}
