"""Sums over the API: whole days come from the roll-ups and the rest of a day from the ledger, and nobody can tell."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from budgets.models import BusinessUnit, LedgerEntry
from budgets.operations import Place, correct, import_call
from budgets.pricing import Usage
from orchestrator.queries import cost_groups
from tests import make

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
# Of yesterday: today's may be still to come.
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - DAY
NOON = MIDNIGHT + DAY / 2
PERIODS = {
    "without bounds": (None, None),
    "of whole days": (MIDNIGHT - 4 * DAY, MIDNIGHT - 1 * DAY),
    "with part of a day at either end": (NOON - 5 * DAY, NOON - 2 * DAY),
    "that begins within a day": (NOON - 3 * DAY, None),
    "that ends within a day": (None, NOON - 3 * DAY),
    "within one day": (NOON - 3 * DAY, NOON - 3 * DAY + timedelta(hours=2)),
    "across one midnight": (NOON - 3 * DAY, NOON - 2 * DAY),
}


@pytest.fixture
def spent(api):
    """Nine days of lines every seven hours, of two models and currencies; some of unknown cost, one corrected."""
    unit, who = BusinessUnit.objects.get(name="support"), make.actor(make.person("kay"))
    for number in range(30):
        known = number % 5 > 0
        usage = Usage(
            cost=Decimal(number) / 100 if known else None, currency=("USD", "EUR")[number % 2] if known else "",
            model=f"model-{number % 3}", input_tokens=10 * number, output_tokens=number,
        )  # fmt: skip
        line = import_call(usage, Place(unit_id=unit.pk, agent="bot"), at=NOON - timedelta(hours=7 * number))
        if number in (5, 6):
            correct(line, to=Decimal("0.77"), currency="USD" if number == 5 else line.currency, why="Invoice", by=who)


@pytest.mark.parametrize("group", ["unit", "agent", "tool", "model", "basis"])
@pytest.mark.parametrize("period", PERIODS)
def test_a_period_comes_to_its_lines(api, spent, period, group):
    since, until = PERIODS[period]
    bounds = {name: moment for name, moment in (("from", since), ("to", until)) if moment}
    asked = "".join(f"&{name}={moment:%Y-%m-%dT%H:%M:%SZ}" for name, moment in bounds.items())
    status, body, _ = api.get(f"costs/?group_by={group}{asked}")
    assert status == 200
    named = {unit.pk: unit.name for unit in BusinessUnit.objects.all()}
    costs, calls, tokens, unknown = Counter(), Counter(), Counter(), Counter()
    for line in LedgerEntry.objects.with_corrections():
        if (since is None or line.at >= since) and (until is None or line.at < until):
            key = line.currency, named[line.unit_id] if group == "unit" else getattr(line, group)
            costs[key] += line.amount or 0
            calls[key] += line.kind != "correction"
            tokens[key] += line.input_tokens + line.output_tokens
            unknown[key] += line.amount is None and not line.is_corrected
    rows = {(row["currency"], row["group"]): row for row in body["results"]}
    assert rows.keys() == calls.keys()
    for key, row in rows.items():
        told = row["calls"], row["input_tokens"] + row["output_tokens"], row["unknown"]
        assert told == (calls[key], tokens[key], unknown[key])
        assert row["cost"] == (f"{costs[key]:.10f}" if key[0] else None)
    order = [Decimal(row["cost"]) for row in body["results"] if row["cost"] is not None]
    assert order == sorted(order, reverse=True)


class TestByExecution:
    YESTERDAY = f"from={NOON - DAY:%Y-%m-%dT%H:%M:%SZ}&to={NOON:%Y-%m-%dT%H:%M:%SZ}"

    @pytest.fixture(autouse=True)
    def run(self, api):
        """One line yesterday and one the day before."""
        unit, run = BusinessUnit.objects.get(name="support"), uuid4()
        for number in (1, 2):
            usage = Usage(cost=Decimal(number), currency="USD", model="m", input_tokens=5)
            import_call(usage, Place(unit_id=unit.pk, execution_id=run), at=NOON - number * DAY)
        return str(run)

    def test_all_of_it_counts_without_bounds_and_what_was_written_within_them(self, api, run):
        for asked, cost in (("", "3.0000000000"), (self.YESTERDAY, "1.0000000000")):
            (row,) = api.get(f"costs/?group_by=execution&{asked}")[1]["results"]
            assert (row["group"], row["cost"]) == (run, cost)

    def test_more_lines_than_can_be_added_up_are_refused_and_all_time_is_not(self, api, monkeypatch):
        monkeypatch.setattr(cost_groups, "MOST_LINES", 0)

        status, problem, _ = api.get(f"costs/?group_by=execution&{self.YESTERDAY}")

        assert (status, problem["code"]) == (400, "too_many_lines")
        assert "shorter period" in problem["remedy"]
        assert [api.get(f"costs/?{asked}")[0] for asked in ("group_by=execution", self.YESTERDAY)] == [200, 200]


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00%2B14:00", "0001-01-01T10:00:00Z"])
@pytest.mark.parametrize("bound", ["from", "to"])
def test_a_moment_at_the_end_of_the_calendar_gets_a_sentence(api, spent, bound, moment):
    status, problem, _ = api.get(f"costs/?{bound}={moment}")

    assert (status, problem["code"]) == (400, "bad_parameter")
