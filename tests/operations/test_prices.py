"""What a call cost: as reported, by contract, by the public catalogue, or unknown, each time with how it is known."""

import json
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.db import Error, transaction
from django.db.models import Sum

from approvals import operations as approvals
from audit.ids import new_id
from audit.lifecycle import database_now
from audit.models import AuditEvent
from audit.refusals import Invalid, Refusal
from budgets import catalogue
from budgets.models import Budget, BudgetWindow, LedgerEntry, Price
from budgets.operations import Place, charge, charge_review, charge_tool_call, correct, import_call
from budgets.pricing import UNCACHED, Usage, cost_of_call
from budgets.reserving import anything_is_budgeted
from orchestrator.operations import corrections
from orchestrator.queries.costs import cost_of
from tests import make
from tests.signing import voice

RECORDED = Path(os.environ.get("REPLAY_DATA", Path(__file__).resolve().parents[3] / "shared" / "data" / "tau2_gpt41"))
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def unit():
    return make.unit("finance")


def price(name, subject="house-model", *, kind="model", **fields):
    rates = {"input": 4, "output": 20} if kind == "model" else {}
    row = Price(name=name, kind=kind, subject=subject, **{"currency": "EUR", "valid_from": LONG_AGO, **rates, **fields})
    return make._activated(row)


def cost_of_lines():
    return cost_of(LedgerEntry.objects.all())


def cost(unit, at=NOW, **used):
    usage = {"model": "house-model", "input_tokens": 1_000_000, "output_tokens": 100_000, "cached_input_tokens": 0}
    return cost_of_call(Usage(**{**usage, **used}), unit_id=unit.pk, at=at)


class TestWhatWasReported:
    def test_is_taken_as_it_is_even_where_a_price_is_known(self, unit):
        price("house")

        found = cost(unit, cost=Decimal("0.5"), currency="EUR")

        assert (found.amount, found.currency, found.basis, found.priced_by) == (Decimal("0.5"), "EUR", "reported", "")

    def test_is_unknown_without_cost_model_or_price_and_says_why(self, unit):
        nameless, strange = cost(unit, model=""), cost(unit)

        assert (nameless.amount, nameless.basis, strange.basis) == (None, "unknown", "unknown")
        assert "neither a cost nor a model" in nameless.why
        assert "no price is known for “house-model”" in strange.why

    def test_is_unknown_where_it_is_more_than_the_ledger_holds(self, unit):
        price("dear", "dear-model", input=9_999_999_999)
        most = Decimal("9999999999.9999999999")

        assert cost(unit, cost=most, currency="EUR").amount == most
        for used in ({"cost": most + Decimal("1e-11"), "currency": "EUR"}, {"model": "dear-model"}):
            found = cost(unit, input_tokens=2**53, **used)
            assert (found.amount, found.basis) == (None, "unknown")
            assert "more than a line can hold" in found.why


class TestAContractPrice:
    def test_comes_before_the_catalogue_and_its_rates_stay_with_the_line(self, unit):
        price("own", "gpt-4.1", input="1.5", output="6", cached_input="0.3")

        found = cost(unit, model="gpt-4.1", cached_input_tokens=400_000)

        assert found.amount == Decimal("0.6") * Decimal("1.5") + Decimal("0.4") * Decimal("0.3") + Decimal("0.1") * 6
        assert (found.currency, found.basis, found.priced_by) == ("EUR", "estimated", "contract price own v1")
        assert found.rates["cached_input"] == "0.3000000000"

    def test_of_the_nearest_unit_stands_before_its_parents_and_everybodys(self, unit):
        below = make.unit("payments", parent=unit)
        price("everywhere", input=9, output=9)
        price("finance", input=5, output=5, unit_id=unit.pk)
        elsewhere = make.unit("elsewhere")
        price("elsewhere", input=1, output=1, unit_id=elsewhere.pk)

        assert [cost(place).priced_by.split()[2] for place in (below, unit, elsewhere)] == [
            "finance",
            "finance",
            "elsewhere",
        ]
        assert cost(make.unit("far")).priced_by == "contract price everywhere v1"

    def test_counts_every_token_once_at_the_rate_of_what_became_of_it(self, unit):
        price("house", cached_input="0.4", cache_write="5")

        found = cost(unit, cached_input_tokens=500_000, cache_write_tokens=200_000)

        # 300,000 plain at 4, 500,000 cached at 0.4, 200,000 written at 5, and 100,000 of output at 20 a million.
        assert found.amount == Decimal("1.2") + Decimal("0.2") + Decimal("1") + Decimal("2")

    def test_of_ones_own_unit_stands_before_that_of_the_provider_above(self, unit):
        below = make.unit("payables", "Payables", parent=unit)
        price("above", unit_id=unit.pk, provider="azure", input="9")
        price("own", unit_id=below.pk, input="2")

        assert cost(below, provider="azure").priced_by == "contract price own v1"

    def test_holds_from_its_date_to_its_end_and_a_later_one_follows(self, unit):
        price("first", input=1, output=0, valid_from=NOW - timedelta(days=90), valid_until=NOW - timedelta(days=30))
        price("second", input=2, output=0, valid_from=NOW - timedelta(days=30))
        price("third", input=3, output=0, valid_from=NOW + timedelta(days=30))

        moments = [NOW - timedelta(days=days) for days in (91, 60, 30, -30)]

        assert [cost(unit, at=moment).amount for moment in moments] == [None, Decimal(1), Decimal(2), Decimal(3)]

    def test_that_holds_is_not_ended_by_a_version_that_begins_later(self, unit):
        """It would be retired at once, and until the other one begins what is used would cost nobody knows what."""
        now = database_now()
        price("house", input=1, output=0)

        with pytest.raises(Refusal, match="no price would be known") as refused:
            price("house", version=2, input=2, output=0, valid_from=now + timedelta(days=9))
        price("house-next", input=2, output=0, valid_from=now + timedelta(days=9))

        assert "under another name" in refused.value.remedy
        assert [cost(unit, at=now + timedelta(days=days)).amount for days in (0, 10)] == [Decimal(1), Decimal(2)]

    def test_that_has_not_begun_or_is_over_is_followed_by_one_that_begins_later(self, unit):
        soon, now = timedelta(days=9), database_now()
        price("next", input=1, output=0, valid_from=now + soon)
        price("next", version=2, input=2, output=0, valid_from=now + soon)
        price("over", "other", valid_until=NOW)
        price("over", "other", version=2, valid_from=now + soon)

        assert cost(unit, at=now + 2 * soon).amount == Decimal(2)

    def test_of_the_provider_stands_before_one_for_whichever(self, unit):
        price("any", input=9, output=0)
        price("azure", input=5, output=0, provider="azure")

        assert [cost(unit, provider=name).amount for name in ("azure", "openai", "")] == [5, 9, 9]

    @pytest.mark.parametrize(
        ("percent", "amount", "doubt"), [(50, Decimal(3), ""), (None, Decimal(6), "no rate for batch")]
    )
    def test_of_a_batch_is_what_the_contract_says_of_batches(self, unit, percent, amount, doubt):
        price("house", batch_percent=percent)

        found = cost(unit, is_batch=True)

        assert found.amount == amount
        assert doubt in found.why

    def test_that_is_a_draft_prices_nothing(self, unit):
        from audit.definitions import draft

        draft(
            Price(name="d", subject="house-model", currency="EUR", input=1, output=1, valid_from=LONG_AGO),
            by=make.MAKER,
        )

        assert cost(unit).basis == "unknown"


class TestTheCatalogue:
    def test_knows_the_price_of_that_day_and_is_named_with_its_version(self, unit):
        found = cost(unit, model="gpt-4.1", cached_input_tokens=500_000)

        assert (found.amount, found.currency) == (Decimal("2.05"), "USD")
        assert (found.basis, found.priced_by) == ("estimated", catalogue.source())
        assert found.rates == {**found.rates, "input_mtok": "2", "cache_read_mtok": "0.5", "output_mtok": "8"}

    def test_says_so_where_nobody_reported_what_came_from_a_cache(self, unit):
        found = cost(unit, model="gpt-4.1", cached_input_tokens=None)

        assert (found.amount, found.basis, found.why) == (Decimal("2.8"), "estimated", UNCACHED)

    def test_prices_a_batch_at_half_where_the_provider_does(self, unit):
        found = cost(unit, at=datetime(2026, 11, 20, tzinfo=UTC), model="gpt-4.1", is_batch=True)

        assert (found.amount, found.why) == (Decimal("1.4"), "")

    def test_says_so_where_it_knows_no_rate_for_batches(self, unit):
        found = cost(unit, at=datetime(2025, 6, 1, tzinfo=UTC), model="gpt-4.1", is_batch=True)

        assert (found.amount, found.why) == (Decimal("2.8"), catalogue.FULL_RATE)

    def test_counts_each_call_by_itself_where_a_large_one_costs_more(self, unit):
        small = cost(unit, model="claude-sonnet-4-5", input_tokens=150_000, output_tokens=0).amount
        large = cost(unit, model="claude-sonnet-4-5", input_tokens=300_000, output_tokens=0).amount

        assert large > 2 * small

    @pytest.mark.slow
    @pytest.mark.skipif(not RECORDED.is_dir(), reason=f"the recorded runs are not at {RECORDED}")
    def test_reproduces_every_recorded_cost_once_cached_tokens_are_known(self, unit):
        calls = list(recorded_calls())
        known = [cost_of_call(usage, unit_id=unit.pk, at=NOW).amount for usage, _ in calls]
        blind = [
            cost_of_call(
                Usage(model=one.model, input_tokens=one.input_tokens, output_tokens=one.output_tokens),
                unit_id=unit.pk, at=NOW,
            )
            for one, _ in calls
        ]  # fmt: skip

        assert len(calls) == 682
        assert max(abs(amount - told) for amount, (_, told) in zip(known, calls, strict=True)) < Decimal("1e-9")
        assert round(sum(known), 4) == Decimal("2.6719")
        assert round(sum(one.amount for one in blind), 4) == Decimal("7.2171")
        assert {one.why for one in blind} == {UNCACHED}


def recorded_calls():
    """(usage with cached tokens, recorded cost) of each of the agent's calls. How many were cached follows from the cost."""
    for name in ("retail", "airline"):
        for line in (RECORDED / f"{name}_simulations.jsonl").read_text().splitlines():
            for message in json.loads(line)["messages"]:
                if message["role"] == "assistant" and message.get("usage"):
                    told = Decimal(str(message["cost"]))
                    given, made = message["usage"]["prompt_tokens"], message["usage"]["completion_tokens"]
                    cached = round((given * Decimal("2e-6") + made * Decimal("8e-6") - told) / Decimal("1.5e-6"))
                    assert cached % 128 == 0
                    usage = Usage(model="gpt-4.1", input_tokens=given, output_tokens=made, cached_input_tokens=cached)
                    yield usage, told


class TestOtherCosts:
    def test_of_a_tool_by_contract_and_of_none_without_one(self, unit):
        price("lookup", "bureau.lookup", kind="tool", per_call="0.35")

        line = charge_tool_call(Place(unit_id=unit.pk, tool="bureau.lookup"))

        assert (line.kind, line.amount, line.currency, line.basis) == ("tool", Decimal("0.35"), "EUR", "estimated")
        assert charge_tool_call(Place(unit_id=unit.pk, tool="other")) is None

    def test_of_reviewers_by_the_hour_name_nobody(self, unit):
        price("reviewers", "", kind="review", per_hour=60)

        line = charge_review(90, Place(unit_id=unit.pk, agent="poster", tool="erp.post_adjustment"))

        assert (line.kind, line.amount, line.seconds) == ("review", Decimal("1.5"), 90)

    def test_come_with_a_decision_and_a_call_by_themselves(self, unit):
        price("reviewers", "", kind="review", per_hour=36)
        price("post", "erp.post_adjustment", kind="tool", per_call="0.10")
        make.policy(condition="", required=1)
        request, grace = make.request(of=unit), make.person("grace", "view", "review", of=unit)
        make.approved(request, grace)
        from orchestrator.models import Action

        make.carried_out(Action.objects.get(pk=request.subject_id))

        lines = LedgerEntry.objects.filter(action_id=request.subject_id).values_list("kind", "amount")
        assert dict(lines)["tool"] == Decimal("0.10")
        assert all(amount > 0 for _, amount in lines)

    @pytest.mark.parametrize(
        ("said", "charged"), [("12.5", None), (-3, None), (True, None), ([], None), (1e300, 86_400), (90.7, 90)]
    )
    def test_of_a_reading_are_those_of_a_sensible_number_of_seconds(self, unit, said, charged):
        """Whatever a client says of it: a decision is not held up by it, neither now nor with the next signature."""
        price("reviewers", "", kind="review", per_hour=36)
        make.policy(condition="", required=1)
        request, grace = make.request(of=unit), make.actor(make.person("grace", "view", "review", of=unit))

        approvals.approve(request_id=request.pk, by=grace, voice=voice(request, by=grace, viewed={"seconds": said}))

        request.refresh_from_db()
        line = LedgerEntry.objects.filter(kind="review").first()
        assert (request.status, line and line.seconds) == ("approved", charged)

    def test_of_a_reading_count_for_whoever_asked_for_the_call_and_so_does_a_correction(self, unit, looks_at_once):
        price("reviewers", "", kind="review", per_hour=36)
        make.policy(condition="", required=1)
        request, grace = make.request(of=unit), make.actor(make.person("grace", "view", "review", of=unit))
        make._activated(Budget(name="asker", measure="money", currency="EUR", limit=500, requester=request.requester))
        anything_is_budgeted.again()
        approvals.approve(request_id=request.pk, by=grace, voice=voice(request, by=grace, viewed={"seconds": 300}))
        spent = BudgetWindow.objects.get(budget="asker").spent
        fiona = make.person("fiona", "view", of=unit)
        fiona.user_permissions.add(Permission.objects.get(codename="add_ledgerentry"))

        corrections.correct(
            line_id=LedgerEntry.objects.get().pk,
            wanted=corrections.Wanted(to=Decimal(1), why="the page was left open"),
            by=make.actor(fiona),
        )

        assert (spent, BudgetWindow.objects.get(budget="asker").spent) == (3, 1)


class TestTheLedger:
    def line(self, unit, **more):
        return charge(
            Usage(cost=Decimal("2.50"), currency="EUR", **more), Place(unit_id=unit.pk, execution_id=new_id())
        )

    def test_is_corrected_by_another_line_that_says_why(self, unit):
        line = self.line(unit, model="gpt-4.1")

        correct(line, to=Decimal("2.00"), why="the invoice says 2.00", by=make.MAKER)
        again = correct(line, to=Decimal("2.25"), why="so does the credit note", by=make.MAKER)

        assert (again.kind, again.amount, again.corrects, again.model) == (
            "correction",
            Decimal("0.25"),
            line,
            "gpt-4.1",
        )
        assert LedgerEntry.objects.aggregate(total=Sum("amount"))["total"] == Decimal("2.25")
        assert AuditEvent.objects.filter(event="ledger.corrected").count() == 2
        line.refresh_from_db()
        assert line.amount == Decimal("2.50")

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"why": " "}, "Say why"),
            ({"currency": "USD"}, "never mixed"),
            ({"to": Decimal("2.50")}, "says already"),
        ],
    )
    def test_refuses_a_correction_that_makes_no_sense(self, unit, change, says):
        with pytest.raises(Invalid, match=says):
            correct(self.line(unit), **{"to": Decimal(1), "why": "because", "by": make.MAKER, **change})
        assert LedgerEntry.objects.count() == 1

    def test_refuses_a_correction_of_a_correction(self, unit):
        change = correct(self.line(unit), to=Decimal(1), why="because", by=make.MAKER)

        with pytest.raises(Invalid, match="its line"):
            correct(change, to=Decimal(2), why="because", by=make.MAKER)

    def test_takes_a_correction_for_the_cost_nobody_knew(self, unit):
        line = charge(Usage(model="house-model", input_tokens=10), Place(unit_id=unit.pk))

        assert cost_of_lines().unknown == 1
        correct(line, to=Decimal("0.75"), currency="EUR", why="from the invoice", by=make.MAKER)

        found = cost_of_lines()
        assert (found.unknown, found.lines, found.amounts) == (0, 1, (("EUR", Decimal("0.75")),))
        assert LedgerEntry.objects.aggregate(total=Sum("amount"))["total"] == Decimal("0.75")

    def test_keeps_the_currency_of_the_first_correction_of_an_unknown_cost(self, unit):
        line = charge(Usage(model="house-model", input_tokens=10), Place(unit_id=unit.pk))
        correct(line, to=Decimal("0.75"), currency="USD", why="from the invoice", by=make.MAKER)

        with pytest.raises(Invalid, match="never mixed"):
            correct(line, to=Decimal("0.70"), currency="EUR", why="converted", by=make.MAKER)
        correct(line, to=Decimal("0.80"), why="the invoice was read wrongly", by=make.MAKER)

        assert cost_of_lines().amounts == (("USD", Decimal("0.80")),)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"cached_input_tokens": 11},
            {"basis": "estimated", "priced_by": ""},
            {"kind": "correction"},
            {"amount": None},
        ],
    )
    def test_refuses_in_the_database_what_cannot_be(self, unit, wrong):
        row = {"unit_id": unit.pk, "amount": 1, "currency": "EUR", "basis": "reported", "input_tokens": 10, **wrong}

        with pytest.raises(Error), transaction.atomic():
            LedgerEntry.objects.create(**row)


class TestImportingAnEarlierCall:
    def test_writes_it_on_its_day_at_the_price_of_then(self, unit):
        price("first", valid_until=NOW)
        price("second", valid_from=NOW, input=8)
        usage = Usage(model="house-model", input_tokens=1_000_000, cached_input_tokens=0)
        line = import_call(usage, Place(unit_id=unit.pk), at=NOW - timedelta(days=1))
        assert (line.at, line.amount) == (NOW - timedelta(days=1), Decimal(4))

    def test_counts_in_no_budget(self, unit, looks_at_once):
        make._activated(Budget(name="month", unit_id=unit.pk, measure="money", currency="EUR", limit=10))
        anything_is_budgeted.again()
        usage = Usage(cost=Decimal(5), currency="EUR", model="house-model")
        import_call(usage, Place(unit_id=unit.pk), at=NOW - timedelta(days=1))
        assert not BudgetWindow.objects.filter(spent__gt=0).exists()
        charge(usage, Place(unit_id=unit.pk))
        assert BudgetWindow.objects.filter(spent__gt=0).exists()

    def test_refuses_a_call_of_the_future(self, unit):
        usage = Usage(cost=Decimal(5), currency="EUR")
        with pytest.raises(Invalid, match="not made yet"):
            import_call(usage, Place(unit_id=unit.pk), at=datetime(2999, 1, 1, tzinfo=UTC))

    def test_writes_nothing_of_a_call_that_used_nothing(self, unit):
        assert import_call(Usage(), Place(unit_id=unit.pk), at=NOW) is None
