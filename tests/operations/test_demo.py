"""The demo is loaded at every start of `make run`, and leaves alone what people have made of it since."""

import json
from datetime import date
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command

from approvals.models import ApprovalPolicy
from approvals.notifying.deliver import one_round
from audit import scope
from audit.actors import system
from budgets.models import Budget, BusinessUnit, LedgerEntry
from config import run
from orchestrator.gate.propose import propose
from orchestrator.management.commands import _demo_costs
from orchestrator.models import Execution, Release
from orchestrator.operations.registry import import_policies
from orchestrator.queries.cost_changes import changes
from orchestrator.queries.cost_report import Span
from orchestrator.queries.cost_words import sentence
from tests import make

ARGUMENTS = {
    "reference": "ADJ-1", "account": "4010", "counter_account": "1920", "amount": "1500.00", "currency": "EUR",
    "customer_facing": False,
}  # fmt: skip
POLICIES = Path(__file__).parents[2] / "examples" / "reconciliation" / "policies.json"


@pytest.mark.django_db
class TestTheDemo:
    def test_leaves_what_administrators_have_activated_since(self):
        call_command("demo")
        stricter = [
            {**item, "condition": "double(args.amount) > 50.0"}
            for item in json.loads(POLICIES.read_text())
            if item["name"] == "adjustment-large"
        ]
        import_policies(stricter, by=system("administrators"), file="theirs")

        call_command("demo")

        in_force = ApprovalPolicy.objects.active().get(name="adjustment-large")
        assert in_force.condition == "double(args.amount) > 50.0"

    def test_has_administrators_who_may_configure_what_holds_everywhere(self):
        call_command("demo")

        people = get_user_model().objects.filter(groups__name="administrators")
        assert {user.username: scope.sees_every_unit(make.actor(user)) for user in people} == {
            "admin": True, "admin2": True,
        }  # fmt: skip

    def test_tells_its_reviewers_of_what_waits_by_a_file_and_sends_nothing(self, settings, tmp_path):
        settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
        settings.EMAIL_FILE_PATH = tmp_path
        call_command("demo")
        unit = BusinessUnit.objects.get(name="finance")

        propose(tool="erp.post_adjustment", arguments=ARGUMENTS, agent="poster", unit_id=unit.pk, by=system("test"))
        one_round()

        mails = " ".join(file.read_text() for file in tmp_path.iterdir())
        assert "To: reviewer@demo.invalid" in mails
        assert "To: operator@demo.invalid" not in mails

    def test_says_where_the_mail_lies(self, capsys, monkeypatch, tmp_path):
        monkeypatch.setenv("VAR_DIR", str(tmp_path))
        monkeypatch.delenv("EMAIL_HOST", raising=False)
        run._welcome("127.0.0.1", 8000, {}, "")
        in_files = capsys.readouterr().out
        monkeypatch.setenv("EMAIL_HOST", "mail.example")
        run._welcome("127.0.0.1", 8000, {}, "")

        assert f"mail         {tmp_path / 'mail'} (one file a message; nothing is sent)" in in_files
        assert "mail         through mail.example" in capsys.readouterr().out

    def test_has_a_budget_that_stops_and_one_that_warns(self):
        call_command("demo")
        budgets = Budget.objects.filter(status="active").order_by("name")
        assert [(one.name, one.is_hard, one.measure) for one in budgets] == [
            ("finance-runs", True, "runs"), ("support-models", False, "money"),
        ]  # fmt: skip

    def test_adds_nothing_the_second_time(self):
        call_command("demo")
        made = (Release, ApprovalPolicy, Budget, Execution)
        before = [kind.objects.count() for kind in made]

        call_command("demo")

        assert [kind.objects.count() for kind in made] == before

    @pytest.mark.slow
    def test_writes_two_months_of_costs_that_say_they_are_made_up_and_once_only(self):
        call_command("demo", "--costs")
        synthetic = Execution.objects.filter(business_key__startswith="synthetic-")
        before = (LedgerEntry.objects.count(), synthetic.count())

        assert {run.status for run in synthetic} == {"succeeded"}
        assert {run.requester for run in synthetic} == {"system:demo"}
        assert set(LedgerEntry.objects.values_list("currency", "basis")) >= {("USD", "estimated"), ("EUR", "reported")}
        call_command("demo", "--costs")
        assert (LedgerEntry.objects.count(), synthetic.count()) == before

    def test_is_not_loaded_outside_of_a_demo_because_everybody_knows_its_passwords(self, settings, capsys):
        settings.ENVIRONMENT = "production"
        call_command("demo", "--costs")

        assert not get_user_model().objects.exists()
        assert not LedgerEntry.objects.exists()
        assert "createsuperuser" in capsys.readouterr().out

    @pytest.mark.slow
    def test_shows_a_reader_what_got_dearer_and_why(self):
        call_command("demo")
        _demo_costs.write(by=system("demo"), today=date(2026, 11, 28))
        units = frozenset(BusinessUnit.objects.values_list("pk", flat=True))
        now = Span(unit_ids=units, since=date(2026, 11, 1), until=date(2026, 11, 27))
        before = Span(unit_ids=units, since=date(2026, 10, 1), until=date(2026, 10, 27))
        euros, dollars = changes(now, before)
        assert (dollars.rows[0].workflow, dollars.rows[0].unit) == ("reconciliation", "Finance")
        assert "because gpt-4.1 took the place of gpt-4.1-mini" in sentence(dollars.rows[0].change, "USD")
        assert euros.rows[0].unknown > 0
