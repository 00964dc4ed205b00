"""`/metrics` as Prometheus scrapes it: the figures are true, complete, few, and say nothing of other units."""

from uuid import UUID

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from approvals.models import ApprovalRequest
from audit.ids import new_id
from budgets.models import Budget, BudgetWindow, BusinessUnit
from budgets.operations import Place, charge
from budgets.pricing import Usage
from budgets.reserving import OverBudget, Spot, Worst, anything_is_budgeted, block, reserve
from orchestrator.health import exposition
from orchestrator.health.readings import STATEMENTS, Readings
from orchestrator.models import TraceExport
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


class TestBudgets:
    def budget(self, name, unit, **fields):
        fields = {"measure": "tokens", "limit": 1000, "window": "day", **fields}
        make._activated(Budget(name=name, unit_id=unit and unit.pk, **fields))
        anything_is_budgeted.again()

    def names(self, found):
        return {key[1] for key in found if key[0] == "holdpoint_budget_limit"}

    def test_say_limit_spent_reserved_the_end_of_the_window_and_what_waits(self, looks_at_once):
        unit, held = make.unit(), new_id()
        self.budget("models", unit)
        charge(Usage(model="m", input_tokens=300), Place(unit_id=unit.pk))
        reserve(Spot(unit_id=unit.pk, holder=new_id()), Worst(tokens=600))
        for _ in range(2):
            with pytest.raises(OverBudget) as over:
                reserve(Spot(unit_id=unit.pk, holder=new_id(), execution_id=held), Worst(tokens=200))
            block(over.value, step_id=new_id(), unit_id=unit.pk, execution_id=held)
        found = figures(scrape())

        key = ("models", "tokens")
        figure = {
            name: found[f"holdpoint_budget_{name}", *key]
            for name in ("limit", "spent", "reserved", "blocked_executions")
        }
        assert figure == {"limit": 1000, "spent": 300, "reserved": 600, "blocked_executions": 1}
        ends = found["holdpoint_budget_window_end_timestamp_seconds", *key]
        assert ends == BudgetWindow.objects.get().ends_at.timestamp()
        assert found["holdpoint_budgets_left_out",] == 0

    def test_that_never_begin_anew_have_no_end_and_what_was_not_asked_for_yet_has_spent_nothing(self):
        self.budget("ever", make.unit(), window="always", measure="money", currency="EUR")
        found = figures(scrape())

        assert found["holdpoint_budget_spent", "ever", "EUR"] == 0
        assert ("holdpoint_budget_window_end_timestamp_seconds", "ever", "EUR") not in found

    def test_are_those_of_the_tokens_unit_and_those_of_every_unit_for_who_sees_every_unit(self):
        self.budget("ours", make.unit())
        self.budget("everybodys", None)
        assert self.names(figures(scrape())) == {"ours", "everybodys"}

        exposition.forget()
        self.budget("theirs", make.unit("elsewhere"))
        assert self.names(figures(scrape())) == {"ours"}

    def test_are_a_hundred_at_most_the_fullest_first_and_the_rest_is_counted(self, monkeypatch, looks_at_once):
        monkeypatch.setattr(exposition, "MOST_BUDGETS", 1)
        unit = make.unit()
        self.budget("empty", unit)
        self.budget("full", unit, limit=10)
        charge(Usage(model="m", input_tokens=9), Place(unit_id=unit.pk))
        found = figures(scrape())

        assert self.names(found) == {"full"}
        assert found["holdpoint_budgets_left_out",] == 1


class TestTheTraceSink:
    def test_has_its_figures_where_one_is_configured(self):
        assert ("holdpoint_trace_export_lag_seconds",) not in figures(scrape())
        exposition.forget()
        TraceExport.objects.create(written_in=1, failures=3)

        assert figures(scrape())["holdpoint_trace_export_failures",] == 3


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
