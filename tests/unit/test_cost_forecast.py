"""What a month will come to, from the days on record and nothing else."""

from datetime import date, timedelta
from decimal import Decimal

from orchestrator.queries.cost_forecast import forecast

FRIDAY = date(2026, 11, 20)


def days(number, cost, until=FRIDAY):
    """The days before `until`, each with what `cost` says of it."""
    every = (until - timedelta(days=back) for back in range(1, number + 1))
    return {day: Decimal(str(cost(day))) for day in every}


class TestAForecast:
    def test_of_days_that_are_all_alike_is_their_number_times_one(self):
        seen = forecast("USD", days(40, lambda day: 2), FRIDAY)
        assert (seen.spent, seen.a_day, seen.days_left) == (38, 2, 10)
        assert seen.likely == seen.low == seen.high == 58

    def test_knows_weekends(self):
        seen = forecast("USD", days(40, lambda day: 0 if day.weekday() > 4 else 3), FRIDAY)
        # Of 21 to 30 November four days are on weekends.
        assert seen.likely - seen.spent == 6 * 3
        assert seen.low == seen.likely

    def test_is_as_unsure_as_the_days_differ(self):
        seen = forecast("USD", days(40, lambda day: 1 if day.isocalendar().week % 2 else 5), FRIDAY)
        assert (seen.likely - seen.spent, seen.low - seen.spent, seen.high - seen.spent) == (30, 10, 50)

    def test_counts_what_today_cost_already(self):
        seen = forecast("USD", days(40, lambda day: 2) | {FRIDAY: Decimal(7)}, FRIDAY)
        assert (seen.spent, seen.likely) == (45, 65)

    def test_takes_a_day_without_lines_for_a_day_that_cost_nothing(self):
        seen = forecast("USD", {FRIDAY - timedelta(days=27): Decimal(28)}, FRIDAY)
        assert seen.a_day == Decimal(28) / 27

    def test_looks_back_four_weeks_and_no_further(self):
        long_ago = {day: Decimal(1000) for day in days(90, lambda day: 0) if (FRIDAY - day).days > 28}
        assert forecast("USD", days(28, lambda day: 2) | long_ago, FRIDAY).a_day == 2

    def test_goes_to_the_end_of_a_window_that_is_no_month(self):
        week = forecast("EUR", days(40, lambda day: 2), FRIDAY, first=date(2026, 11, 16), last=date(2026, 11, 22))
        assert (week.spent, week.days_left, week.likely) == (8, 2, 12)
        quarter = forecast("EUR", days(60, lambda day: 2), FRIDAY, first=date(2026, 10, 1), last=date(2026, 12, 31))
        assert (quarter.spent, quarter.days_left, quarter.likely) == (100, 41, 182)

    def test_is_not_made_before_two_weeks_are_on_record(self):
        assert forecast("USD", days(13, lambda day: 2), FRIDAY) is None
        assert forecast("USD", days(14, lambda day: 2), FRIDAY) is not None
        assert forecast("USD", {}, FRIDAY) is None

    def test_of_the_last_day_is_what_is_spent(self):
        last = date(2026, 11, 30)
        seen = forecast("USD", days(28, lambda day: 1, last) | {last: Decimal(4)}, last)
        assert (seen.days_left, seen.likely) == (0, seen.spent)
