"""Alerts over the API: read by machines, acknowledged by people, once per key."""

import pytest

from orchestrator.models import Alert
from tests import make
from tests.api.conftest import Caller, make_token, signed_in


@pytest.fixture
def finance(db):
    make.unit("finance", "Finance")
    make.agent()
    return Caller(make_token("poster", "finance"))


@pytest.fixture
def alert(finance):
    return make.alert(of=make.unit("finance"))


def acknowledge(caller, alert, key="one", **body):
    return caller.post(f"alerts/{alert.pk}/acknowledgements/", body or {"reason": "I look"}, **{"Idempotency-Key": key})


def test_are_listed_and_read(finance, alert, settings):
    settings.SITE_URL = "https://holdpoint.example"
    status, page, _ = finance.get("alerts/?status=open&severity=critical&unit=finance&kind=pager")

    assert status == 200
    found = page["results"][0]
    assert (found["id"], found["unit"], found["count"]) == (str(alert.pk), "finance", 1)
    assert found["evidence"] == f"https://holdpoint.example{alert.evidence}"
    assert finance.get(f"alerts/{alert.pk}/")[1] == found


def test_of_other_units_do_not_exist(finance):
    other = make.alert(of=make.unit("sales", "Sales"))

    assert finance.get("alerts/")[1]["results"] == []
    assert finance.get(f"alerts/{other.pk}/")[0] == 404


def test_are_acknowledged_by_a_person_once_per_key(alert):
    olaf = signed_in(make.person("olaf", "view", "operate"))

    assert acknowledge(olaf, alert)[1]["acknowledged_by"] == "olaf"
    assert acknowledge(olaf, alert)[0] == 201
    assert acknowledge(olaf, alert, key="two")[0] == 409
    assert Alert.objects.get().status == "acknowledged"


def test_are_acknowledged_by_no_machine_and_by_nobody_without_a_reason(finance, alert):
    assert acknowledge(finance, alert)[:2][1]["code"] == "people_only"
    assert acknowledge(signed_in(make.person("olaf", "view", "operate")), alert, reason="")[0] == 422
    assert acknowledge(signed_in(make.person("vera", "view")), alert)[0] == 403
    assert Alert.objects.get().status == "open"
