"""The migrations say what the models say."""

import pytest
from django.core.management import call_command

from approvals.models import ApprovalPolicy
from audit.definitions import draft, edit
from audit.lifecycle import run
from audit.models import AuditEvent
from budgets.models import Budget, BudgetDay, BudgetWindow
from budgets.operations import Place, charge
from budgets.pricing import Usage
from budgets.reserving import anything_is_budgeted
from orchestrator.models import Action, DeadLetter
from tests import make


@pytest.mark.django_db
class TestMigrations:
    def test_are_complete(self) -> None:
        call_command("makemigrations", check=True, dry_run=True)


@pytest.mark.django_db(transaction=True)
class TestEveryEditor:
    def test_is_found_in_the_trail_when_the_column_comes_and_the_way_back_is_open(self) -> None:
        ann, bob = (make.person(name, "view") for name in ("ann", "bob"))
        row = ApprovalPolicy(name="old", reason="old")
        draft(row, by=make.actor(ann))
        edit(row, by=make.actor(bob), changed=["reason"])
        in_force = make.policy()

        call_command("migrate", "approvals", "0002", verbosity=0)
        call_command("migrate", verbosity=0)

        row.refresh_from_db()
        in_force.refresh_from_db()
        assert (row.editors, in_force.editors) == (sorted([ann.pk, bob.pk]), [])


@pytest.mark.django_db(transaction=True)
class TestLettersOfBefore:
    def test_get_the_group_they_would_have_been_written_with_and_the_way_back_is_open(self) -> None:
        letters = [make.letter(words) for words in ("Order 17 was refused", "Order 18 was refused", "Another thing")]

        call_command("migrate", "orchestrator", "0017", verbosity=0)
        call_command("migrate", verbosity=0)

        groups = [DeadLetter.objects.get(pk=letter.pk).group for letter in letters]
        assert groups[0] == groups[1] != groups[2]
        assert (groups[0].pattern, groups[0].status, groups[0].owner) == (
            "order <number> was refused",
            "new",
            "agent_owner",
        )
        assert AuditEvent.objects.filter(object_id=groups[0].pk, event="failure_group.new").count() == 1


@pytest.mark.django_db(transaction=True)
class TestOneTier:
    def test_is_taken_from_the_request_and_the_way_back_is_open(self) -> None:
        make.policy()
        raised, plain = (make.request(amount) for amount in ("4860.00", "9.00"))

        call_command("migrate", "orchestrator", "0021", verbosity=0)
        before = tiers()
        call_command("migrate", verbosity=0)

        assert (before[raised.subject_id], tiers()[raised.subject_id]) == ("customer_facing", "financial")
        assert before[plain.subject_id] == tiers()[plain.subject_id] == "customer_facing"


@pytest.mark.django_db(transaction=True)
class TestABudgetOfARelease:
    def test_covers_nothing_for_the_version_before_which_knows_no_releases(self) -> None:
        make._activated(Budget(name="pilot", release="a" * 64, measure="runs", limit=1, window="always"))
        make._activated(Budget(name="all", measure="runs", limit=1, window="always"))

        call_command("migrate", "budgets", "0011", verbosity=0)
        covering = run("SELECT budget FROM budget_covering(NULL, 'closing', '', '')", [])
        call_command("migrate", verbosity=0)

        assert covering == [("all",)]
        assert Budget.objects.get(name="pilot").workflow.startswith("only release aaaa")


@pytest.mark.django_db(transaction=True)
class TestTheDaysOfABudget:
    def test_begin_with_what_the_windows_had_spent_and_go_with_the_table(self) -> None:
        unit = make.unit()
        make._activated(Budget(name="tokens", unit_id=unit.pk, measure="tokens", limit=100, window="always"))
        anything_is_budgeted.again()
        charge(Usage(model="m", input_tokens=30), Place(unit_id=unit.pk))

        call_command("migrate", "budgets", "0014", verbosity=0)
        charge(Usage(model="m", input_tokens=12), Place(unit_id=unit.pk))
        call_command("migrate", verbosity=0)
        charge(Usage(model="m", input_tokens=5), Place(unit_id=unit.pk))

        assert BudgetWindow.objects.get().spent == sum(BudgetDay.objects.values_list("spent", flat=True)) == 47


def tiers() -> dict[object, str]:
    return dict(Action.objects.values_list("pk", "tier"))
