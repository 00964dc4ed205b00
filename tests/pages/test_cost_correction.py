"""A person corrects a cost line: after a second look, with a reason, and it counts in the sums and in the budgets."""

import json
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from audit.models import AuditEvent
from budgets.models import Budget, BudgetWindow, LedgerEntry
from budgets.operations import Place, charge, correct
from budgets.pricing import Usage
from budgets.reserving import anything_is_budgeted
from orchestrator.gate.budgeting import run_of
from orchestrator.models import Cost
from tests import make
from tests.pages.asking import browser_of

pytestmark = pytest.mark.usefixtures("looks_at_once")


def corrector(name, *permissions, of):
    user = make.person(name, "view", *permissions, of=of)
    user.user_permissions.add(Permission.objects.get(codename="add_ledgerentry"))
    return user


@pytest.fixture
def fiona(unit):
    """Of finance: may correct."""
    return corrector("fiona", of=unit)


@pytest.fixture
def as_fiona(fiona):
    return browser_of(fiona)


def spend(unit, cost="2.50", *, run=None, **more):
    usage = Usage(cost=cost and Decimal(cost), currency="EUR" if cost else "", model="house", input_tokens=10)
    whose = run_of(run and run.pk, unit.pk)._asdict()
    line = charge(usage, Place(unit_id=unit.pk, execution_id=run and run.pk, **whose, **more))
    line.refresh_from_db()
    return line


def typed(to="2", **more):
    return {"to": to, "currency": "EUR", "reason": "the invoice says so", "read": "0", **more}


def send(browser, line, **more):
    return browser.post(reverse("cost_line_corrections", args=[line.pk]), typed(**more))


def confirm(browser, line, **more):
    return send(browser, line, confirmed="1", **more)


def budget(name, **fields):
    make._activated(Budget(name=name, **{"measure": "money", "currency": "EUR", "limit": 10, **fields}))
    anything_is_budgeted.again()


def spent(name):
    return BudgetWindow.objects.get(budget=name).spent


class TestACorrection:
    def test_is_written_after_a_second_look_as_a_line_of_its_own_and_both_lead_to_each_other(self, unit, as_fiona):
        line = spend(unit)
        assert 'name="to"' in as_fiona.get(reverse("cost_line_corrections", args=[line.pk])).content.decode()
        look = send(as_fiona, line).content.decode()
        for words in ("Nothing is written yet.", "EUR 2.50", "EUR 2.00", "EUR \u22120.50", "the invoice says so"):
            assert words in look
        assert LedgerEntry.objects.count() == 1

        answer = confirm(as_fiona, line)

        assert (answer.status_code, answer["Location"]) == (302, f"/costs/lines/{line.pk}/")
        fix = LedgerEntry.objects.get(kind="correction")
        assert (fix.corrects, fix.amount, fix.why) == (line, Decimal("-0.5"), "the invoice says so")
        line.refresh_from_db()
        assert line.amount == Decimal("2.50")
        shown = as_fiona.get(answer["Location"]).content.decode()
        for words in (f"/costs/lines/{fix.pk}/", "fiona", "the invoice says so", "EUR 2.00"):
            assert words in shown
        assert f"/costs/lines/{line.pk}/" in as_fiona.get(f"/costs/lines/{fix.pk}/").content.decode()

    def test_has_an_entry_in_the_trail_that_names_the_person(self, unit, fiona, as_fiona):
        confirm(as_fiona, spend(unit))

        event = AuditEvent.objects.get(event="ledger.corrected")
        assert (event.actor, event.why) == (f"user:{fiona.pk}", "the invoice says so")
        assert json.loads(event.data)["change"] == "-0.5000000000"

    def test_counts_in_the_sums_and_in_every_budget_that_covers_the_line(self, unit, as_fiona):
        run = make.execution()
        budget("of-unit", unit_id=unit.pk)
        budget("of-workflow", workflow=run.workflow)
        budget("of-release", release=run.release.digest)
        budget("of-others", workflow="other")
        budget("in-dollars", unit_id=unit.pk, currency="USD")
        line = spend(unit, run=run)
        before = spent("of-release"), BudgetWindow.objects.get(budget="in-dollars").unknown
        confirm(as_fiona, line)

        assert before == (Decimal("2.50"), 1)
        assert [spent(name) for name in ("of-unit", "of-workflow", "of-release")] == [2, 2, 2]
        assert not BudgetWindow.objects.filter(budget="of-others").exists()
        assert (spent("in-dollars"), BudgetWindow.objects.get(budget="in-dollars").unknown) == (0, 1)
        assert sum(Cost.objects.values_list("amount", flat=True)) == 2

    def test_tells_of_a_threshold_that_it_reaches(self, unit, as_fiona):
        budget("tight", unit_id=unit.pk)
        confirm(as_fiona, spend(unit), to="9")

        assert json.loads(AuditEvent.objects.get(event="alert.budget").data)["percent"] == 80

    def test_makes_an_unknown_cost_known_in_the_currency_that_is_typed(self, unit, as_fiona):
        budget("of-unit", unit_id=unit.pk)
        line = spend(unit, None)
        assert BudgetWindow.objects.get().unknown == 1
        assert send(as_fiona, line, currency="").status_code == 422
        confirm(as_fiona, line, to="0.75")

        window = BudgetWindow.objects.get()
        assert (window.spent, window.unknown) == (Decimal("0.75"), 0)


class TestIsRefused:
    @pytest.mark.parametrize(
        ("wrong", "says"),
        [
            ({"currency": "USD"}, "Currencies are never mixed. This line is in EUR."),
            ({"to": "2.50"}, "That is what the ledger says already."),
            ({"to": "2.00000000001"}, "no more than 10 decimal places"),
            ({"to": "-1"}, "greater than or equal to 0"),
            ({"to": "99999999999"}, "no more than"),
            ({"to": "NaN"}, "Enter a number"),
            ({"reason": " "}, "Say why the line was wrong."),
        ],
    )
    @pytest.mark.parametrize("step", [send, confirm])
    def test_with_the_reason_on_the_form_where_it_makes_no_sense(self, unit, as_fiona, wrong, says, step):
        answer = step(as_fiona, spend(unit), **wrong)

        assert answer.status_code == 422
        assert says in answer.content.decode()
        assert LedgerEntry.objects.count() == 1

    def test_where_the_line_is_a_correction_or_was_corrected_away(self, unit, as_fiona):
        line = spend(unit)
        confirm(as_fiona, line, to="0")
        again = confirm(as_fiona, line, to="1", read="1")
        fix = confirm(as_fiona, LedgerEntry.objects.get(kind="correction"), to="1")

        assert "This line was corrected away" in again.content.decode()
        assert "correcting its line again" in fix.content.decode()
        assert LedgerEntry.objects.count() == 2
        assert "corrected away" in as_fiona.get(f"/costs/lines/{line.pk}/").content.decode()

    def test_where_somebody_else_was_faster(self, unit, as_fiona):
        line = spend(unit)
        correct(line, to=Decimal(1), why="a credit note", by=make.MAKER)
        answer = confirm(as_fiona, line)

        assert answer.status_code == 409
        assert "Somebody has corrected this line since you opened it" in answer.content.decode()

    def test_for_who_may_only_look_and_is_not_offered_to_them(self, unit, as_vera):
        line = spend(unit)
        shown = as_vera.get(f"/costs/lines/{line.pk}/").content.decode()

        assert "takes a permission that you do not have" in shown
        assert "/corrections/" not in shown
        assert as_vera.get(reverse("cost_line_corrections", args=[line.pk])).status_code == 403
        assert confirm(as_vera, line).status_code == 403
        assert AuditEvent.objects.filter(event="request.refused", why="no_corrector").count() == 2
        assert LedgerEntry.objects.count() == 1

    def test_for_who_asked_for_the_execution_that_it_paid_for(self, unit):
        olga = corrector("olga", "operate", of=unit)
        line = spend(unit, run=make.execution(by=olga))

        answer = confirm(browser_of(olga), line)
        assert answer.status_code == 403
        assert "somebody else corrects what it cost" in answer.content.decode()

    def test_as_if_it_were_not_there_for_a_corrector_of_other_units(self, unit):
        line = spend(unit)
        stranger = browser_of(corrector("stan", of=make.unit("elsewhere")))

        assert stranger.get(f"/costs/lines/{line.pk}/").status_code == 404
        assert confirm(stranger, line).status_code == 404
        assert LedgerEntry.objects.count() == 1

    def test_by_get(self, unit, as_fiona):
        line = spend(unit)
        as_fiona.get(reverse("cost_line_corrections", args=[line.pk]), typed(confirmed="1"))

        assert LedgerEntry.objects.count() == 1
