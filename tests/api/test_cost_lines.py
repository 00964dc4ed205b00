"""Correcting a cost line over REST: as the page does it, by people only, with the same refusals and the same trail."""

import json
from decimal import Decimal
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission

from audit.models import AuditEvent
from budgets.models import Budget, BudgetWindow, LedgerEntry
from budgets.operations import Place, charge, correct
from budgets.pricing import Usage
from budgets.reserving import anything_is_budgeted
from orchestrator.gate.budgeting import run_of
from tests import make
from tests.api.conftest import Caller, make_token, make_unit, signed_in

pytestmark = pytest.mark.usefixtures("looks_at_once")


@pytest.fixture
def finance(db):
    return make_unit("finance", "Finance")


def corrector(name, *permissions, of):
    user = make.person(name, "view", *permissions, of=of)
    user.user_permissions.add(Permission.objects.get(codename="add_ledgerentry"))
    return user


@pytest.fixture
def fiona(finance):
    """Of finance: may correct."""
    return corrector("fiona", of=finance)


@pytest.fixture
def as_fiona(fiona):
    return signed_in(fiona)


def spend(finance, cost="2.50", *, run=None):
    usage = Usage(cost=cost and Decimal(cost), currency="EUR" if cost else "", model="house", input_tokens=10)
    whose = run_of(run and run.pk, finance.pk)._asdict()
    return charge(usage, Place(unit_id=finance.pk, execution_id=run and run.pk, **whose))


def said(**more):
    return {"to": "2", "reason": "the invoice says so", "read": 0, **more}


def send(caller, line, *, key=None, **more):
    headers = {"Idempotency-Key": key} if key else {}
    return caller.post(f"costs/lines/{getattr(line, 'pk', line)}/corrections/", said(**more), **headers)


def confirm(caller, line, **more):
    return send(caller, line, confirmed=True, **more)


def written():
    return LedgerEntry.objects.filter(kind="correction")


class TestACorrection:
    def test_says_first_what_it_would_change_and_writes_nothing(self, finance, as_fiona):
        line = spend(finance)
        status, plan, _ = send(as_fiona, line)
        assert status == 200
        assert {name: plan[name] for name in ("id", "before", "after", "change", "currency")} == {
            "id": None, "before": "2.5000000000", "after": "2.0000000000", "change": "-0.5000000000", "currency": "EUR",
        }  # fmt: skip
        assert not written().exists()
        assert not AuditEvent.objects.filter(event="ledger.corrected").exists()

    def test_is_a_line_of_its_own_once_it_is_confirmed_with_the_trail_of_the_page(self, finance, fiona, as_fiona):
        line = spend(finance)
        status, body, _ = confirm(as_fiona, line)
        fix = written().get()
        assert (status, body["id"]) == (201, str(fix.pk))
        assert (fix.corrects_id, fix.amount, fix.why) == (line.pk, Decimal("-0.5"), "the invoice says so")
        line.refresh_from_db()
        assert line.amount == Decimal("2.50")
        event = AuditEvent.objects.get(event="ledger.corrected")
        assert (event.actor, event.object_id, event.why) == (f"user:{fiona.pk}", fix.pk, "the invoice says so")
        assert json.loads(event.data)["change"] == "-0.5000000000"

    def test_is_written_once_however_often_it_is_sent_under_one_key(self, finance, as_fiona):
        line = spend(finance)
        first, again = (confirm(as_fiona, line, key="invoice-7") for _ in range(2))
        assert (first[0], again[0], again[1]) == (201, 201, first[1])
        assert again[2]["Idempotency-Replayed"] == "true"
        assert written().count() == 1
        assert confirm(as_fiona, line, key="invoice-7", to="1")[1]["code"] == "idempotency_key_reused"

    def test_that_was_only_looked_at_under_a_key_is_not_taken_for_written(self, finance, as_fiona):
        line = spend(finance)
        assert send(as_fiona, line, key="invoice-7")[0] == 200
        assert confirm(as_fiona, line, key="invoice-7")[0] == 201

    def test_counts_in_the_budget(self, finance, as_fiona):
        make._activated(Budget(name="all", measure="money", currency="EUR", limit=10, unit_id=finance.pk))
        anything_is_budgeted.again()
        confirm(as_fiona, spend(finance))
        assert BudgetWindow.objects.get(budget="all").spent == 2

    def test_says_the_currency_of_a_cost_that_nobody_knew(self, finance, as_fiona):
        line = spend(finance, None)
        assert confirm(as_fiona, line)[1]["errors"][0]["pointer"] == "/currency"
        status, body, _ = confirm(as_fiona, line, currency="USD")
        assert (status, body["before"], body["change"], body["currency"]) == (201, None, "2.0000000000", "USD")


class TestALine:
    def test_is_read_with_what_it_comes_to_and_who_corrected_it(self, finance, as_fiona):
        line = spend(finance)
        confirm(as_fiona, line)
        status, body, _ = as_fiona.get(f"costs/lines/{line.pk}/")
        assert status == 200
        assert (body["line"]["cost"], body["cost"], body["currency"]) == ("2.5000000000", "2.0000000000", "EUR")
        assert (body["read"], body["why_not"]) == (1, "")
        (fix,) = body["corrections"]
        assert (fix["change"], fix["by"], fix["why"]) == ("-0.5000000000", "fiona", "the invoice says so")
        assert as_fiona.get(f"costs/lines/{fix['id']}/")[1]["corrects"] == str(line.pk)

    def test_is_read_by_a_token_of_its_unit_which_is_told_that_it_cannot_correct(self, finance, world):
        line = spend(world)
        token = Caller(make_token(scopes=["read:costs"]))
        status, body, _ = token.get(f"costs/lines/{line.pk}/")
        assert (status, body["cost"]) == (200, "2.5000000000")
        assert body["why_not"].startswith("Correcting a cost line takes a permission")
        assert token.get(f"costs/lines/{spend(finance).pk}/")[0] == 404


class TestIsRefused:
    @pytest.mark.parametrize(
        ("wrong", "pointer"),
        [
            ({"currency": "USD"}, "/currency"),
            ({"to": "2.50"}, "/to"),
            ({"to": "-1"}, "/to"),
            ({"to": 2}, "/to"),
            ({"to": "2.00000000001"}, "/to"),
            ({"reason": ""}, "/reason"),
            ({"read": -1}, "/read"),
            ({"read": None}, "/read"),
            ({"confirmed": "yes"}, "/confirmed"),
            ({"amount": "2"}, "/amount"),
        ],
    )
    def test_with_the_field_where_it_makes_no_sense(self, finance, as_fiona, wrong, pointer):
        line = spend(finance)
        for body in ({"confirmed": True, **wrong}, wrong):
            status, problem, _ = send(as_fiona, line, **body)
            assert (status, problem["errors"][0]["pointer"]) == (422, pointer)
        assert not written().exists()

    def test_without_a_reason_that_says_anything(self, finance, as_fiona):
        assert confirm(as_fiona, spend(finance), reason="  ")[1]["errors"][0]["pointer"] == "/why"

    def test_where_the_line_is_a_correction_or_was_corrected_away(self, finance, as_fiona):
        line = spend(finance)
        confirm(as_fiona, line, to="0")
        assert confirm(as_fiona, line, to="1", read=1)[1]["detail"].startswith("This line was corrected away")
        assert "correcting its line again" in confirm(as_fiona, written().get(), to="1")[1]["detail"]
        assert written().count() == 1

    def test_where_somebody_else_was_faster(self, finance, as_fiona):
        line = spend(finance)
        correct(line, to=Decimal(1), why="a credit note", by=make.MAKER)
        status, problem, _ = confirm(as_fiona, line)
        assert (status, problem["code"]) == (409, "stale")
        assert written().count() == 1

    def test_for_who_may_only_look_and_the_trail_says_so(self, finance):
        status, problem, _ = confirm(signed_in(make.person("vera", "view", of=finance)), spend(finance))
        assert (status, problem["code"]) == (403, "no_corrector")
        assert "Can add ledger entry" in problem["remedy"]
        assert AuditEvent.objects.filter(event="request.refused", why="no_corrector").exists()
        assert not written().exists()

    def test_for_who_asked_for_the_execution_that_it_paid_for(self, finance):
        olga = corrector("olga", "operate", of=finance)
        line = spend(finance, run=make.execution(by=olga))
        assert confirm(signed_in(olga), line)[1]["code"] == "own_cost"
        assert send(signed_in(olga), line)[1]["code"] == "own_cost"

        other = corrector("olga2", of=finance)
        make.linked("olga", olga, other)
        assert confirm(signed_in(other), line)[1]["code"] == "own_cost"

    def test_as_if_it_were_not_there_for_a_corrector_of_other_units(self, finance, as_fiona):
        stranger = signed_in(corrector("stan", of=make_unit("abroad", "Abroad")))
        line = spend(finance)
        assert stranger.get(f"costs/lines/{line.pk}/")[0] == 404
        assert send(stranger, line)[0] == confirm(stranger, line)[0] == confirm(as_fiona, uuid4())[0] == 404
        assert not written().exists()

    def test_for_every_token_whatever_its_scopes(self, finance, world):
        line = spend(world)
        token = Caller(make_token(scopes=["read:costs", "usage:write"]))
        for status, problem, _ in (send(token, line), confirm(token, line)):
            assert (status, problem["code"]) == (403, "people_only")
        assert not written().exists()

    def test_without_the_forgery_token_of_the_browser(self, finance, as_fiona):
        as_fiona.headers.pop("X-CSRFToken")
        assert confirm(as_fiona, spend(finance))[0] == 403
        assert not written().exists()
