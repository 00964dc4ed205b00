"""`health/`: what the health page says, for monitoring."""

import pytest

from orchestrator.health.pulse import Pulse
from tests.api.conftest import Caller, make_person, make_token, signed_in

pytestmark = pytest.mark.django_db


def by_key(body):
    return {figure["key"]: figure for figure in body["figures"]}


class TestMonitoring:
    def test_reads_the_figures_of_the_machine_with_a_scope_for_it(self, world):
        Pulse().beat(cluster="here:1:abc")

        status, body, headers = Caller(make_token(scopes=["read:health"])).get("health/")

        figures = by_key(body)
        assert (status, body["machine"], headers["Cache-Control"]) == (200, True, "no-store")
        assert figures["workers"]["state"] == "good"
        assert figures["backup"] | {"detail": ""} == {
            "key": "backup", "title": "Last backup", "state": "unknown", "value": None, "unit": "seconds",
            "shown": "no report", "detail": "", "degraded_above": 93600.0, "down_above": 259200.0,
        }  # fmt: skip

    def test_is_not_told_that_all_is_well_where_nothing_reports(self, world):
        _, body, _ = Caller(make_token(scopes=["read:health"])).get("health/")

        assert body["state"] == "down"
        assert by_key(body)["workers"] | {"shown": "", "detail": ""} == {
            "key": "workers", "title": "Workers", "state": "down", "value": None, "unit": "seconds", "shown": "",
            "detail": "", "degraded_above": 6.0, "down_above": 15.0,
        }  # fmt: skip

    def test_with_a_token_that_follows_executions_reads_its_units_figures_only(self, world):
        _, body, _ = Caller(make_token(scopes=["executions:read"])).get("health/")

        assert body["machine"] is False
        assert set(by_key(body)) == {"queue_age", "leases", "approvals", "dead_letters"}

    def test_refuses_a_filter_it_does_not_know(self, world):
        assert Caller(make_token(scopes=["read:health"])).get("health/?unit=x")[0] == 400


class TestPeople:
    def test_read_what_their_page_shows(self, world):
        assert signed_in(make_person("ada", world, "view", "operate")).get("health/")[1]["machine"] is True
        assert signed_in(make_person("grace", world, "view", "review")).get("health/")[1]["machine"] is False

    def test_without_any_role_are_refused(self, world):
        status, problem, _ = signed_in(make_person("noel")).get("health/")

        assert status == 403
        assert "role in some business unit" in problem["detail"]
