"""`/metrics` as Prometheus scrapes it: the figures are true, complete, few, and say nothing of other units."""

from uuid import UUID

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from approvals.models import ApprovalRequest
from budgets.models import BusinessUnit
from orchestrator.health import exposition
from orchestrator.health.readings import STATEMENTS, Readings
from orchestrator.operations import tokens
from orchestrator.statuses import AttemptStatus, DeadLetterStatus
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_kept():
    exposition.forget()
    yield
    exposition.forget()


def scrape(scopes=("read:health",), of=None, **headers):
    make.agent("scraper", of=of)
    text, _ = tokens.issue("scraper", of.name if of else make.unit().name, list(scopes), 1)
    return Client().get("/metrics", headers={"Authorization": f"Bearer {text}", **headers})


def figures(answer):
    """Every sample by name and labels."""
    assert answer.status_code == 200, answer.content
    families = text_string_to_metric_families(answer.content.decode())
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


class TestFigures:
    def test_are_what_the_database_holds(self):
        make.request()
        make.letter()
        make.execution("running")
        found = figures(scrape())

        assert found["holdpoint_approvals_waiting",] == ApprovalRequest.objects.pending().count() == 1
        assert found["holdpoint_dead_letters", "open"] == 1
        assert found["holdpoint_attempts_running",] == 1
        assert found["holdpoint_attempts_recent", "running"] == 1
        assert found["holdpoint_attempts_recent", "succeeded"] == 2
        assert found["holdpoint_claims_per_second",] == pytest.approx(4 / 60)
        assert found["holdpoint_unreadable_figures",] == 0

    def test_are_all_there_on_an_empty_machine(self):
        found = figures(scrape())

        assert {key[1] for key in found if key[0] == "holdpoint_dead_letters"} == set(DeadLetterStatus.values)
        assert {key[1] for key in found if key[0] == "holdpoint_attempts_recent"} == set(AttemptStatus.values)
        assert {key[0] for key in found} >= {
            "holdpoint_queue_age_seconds", "holdpoint_steps_due", "holdpoint_oldest_attempt_seconds", "holdpoint_breakers",
            "holdpoint_outbox_lag_seconds", "holdpoint_workers", "holdpoint_database_seconds", "holdpoint_approvals_overdue",
        }  # fmt: skip

    def test_of_approvals_and_letters_are_those_of_the_tokens_unit(self):
        make.request()
        make.letter()
        elsewhere = make.unit("elsewhere", "Elsewhere")
        found = figures(scrape(of=elsewhere))

        assert (found["holdpoint_approvals_waiting",], found["holdpoint_dead_letters", "open"]) == (0, 0)

    def test_name_no_unit_workflow_agent_or_tool_and_do_not_grow_with_them(self):
        before = figures(scrape())
        exposition.forget()
        for name in ("north", "south"):
            make.request(of=make.unit(name, name.upper()), named=f"agent-{name}")
        make.letter(name="secret-workflow")
        answer = scrape()

        assert figures(answer).keys() == before.keys()
        names = [
            "secret-workflow",
            "agent-north",
            "erp.post",
            *map(str, BusinessUnit.objects.values_list("pk", flat=True)),
        ]
        assert not [name for name in names if name in answer.content.decode()]

    def test_are_read_once_in_five_seconds(self, django_assert_num_queries):
        scrape()
        text, _ = tokens.issue("scraper", "finance", ["read:health"], 1)
        with django_assert_num_queries(1):  # the token's
            Client().get("/metrics", headers={"Authorization": f"Bearer {text}"})

    def test_that_cannot_be_read_are_missing_and_counted(self, monkeypatch):
        monkeypatch.setitem(STATEMENTS, "letters", "SELECT to_jsonb(1/0)")
        found = figures(scrape())

        assert found["holdpoint_unreadable_figures",] == 1
        assert ("holdpoint_dead_letters", "open") not in found
        assert ("holdpoint_steps_due",) in found

    def test_of_a_database_that_is_away_are_none_and_no_error(self):
        text = exposition.written(Readings(faults={"database": "away"}), frozenset({UUID(int=1)}))

        assert b"holdpoint_unreadable_figures 1.0" in text


class TestTheDoor:
    def test_is_shut_without_a_token(self):
        answer = Client().get("/metrics")

        assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")
        assert b"holdpoint_" not in answer.content

    def test_is_shut_without_the_scope(self):
        assert scrape(scopes=["read:costs"]).status_code == 403

    def test_is_shut_to_people(self):
        client = Client()
        client.force_login(make.person("ada", "view", "operate"))

        assert client.get("/metrics").status_code == 401

    def test_answers_in_the_text_that_prometheus_reads(self):
        answer = scrape(Accept="application/openmetrics-text")

        assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
