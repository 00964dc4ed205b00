"""How numbers, money and times read."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from audit.templatetags import _format

NOW = datetime(2026, 11, 21, 10, 42, 7, tzinfo=UTC)


class TestMoney:
    @pytest.mark.parametrize(
        ("amount", "currency", "shown", "exact"),
        [
            (Decimal("4860"), "EUR", "EUR 4,860.00", ""),
            (Decimal("4860.005"), "EUR", "EUR 4,860.01", "EUR 4,860.005"),
            (Decimal("-12.5"), "EUR", "EUR \u221212.50", ""),
            (Decimal("0"), "EUR", "EUR 0.00", ""),
            (Decimal("0.00312149"), "USD", "USD 0.003121", "USD 0.00312149"),
            (Decimal("0.0312"), "USD", "USD 0.03", "USD 0.0312"),
            (129500, "JPY", "JPY 129,500", ""),
            (Decimal("0.35"), "JPY", "JPY 0.35", ""),
            (Decimal("-0.412896"), "KRW", "KRW \u22120.4129", "KRW \u22120.412896"),
            ("1.5", "KWD", "KWD 1.500", ""),
            (Decimal("123456789012345678901234567890.125"), "EUR", "EUR 123,456,789,012,345,678,901,234,567,890.13",
             "EUR 123,456,789,012,345,678,901,234,567,890.125"),
            (None, "EUR", "unknown", ""),
            ("a lot", "EUR", "a lot", ""),
            ("NaN", "EUR", "NaN", ""),
        ],
    )  # fmt: skip
    def test_names_its_currency_and_keeps_the_exact_value(self, amount, currency, shown, exact):
        assert _format.money(amount, currency) == (shown, exact)

    def test_is_never_a_float(self):
        with pytest.raises(TypeError):
            _format.money(0.1, "EUR")  # type: ignore[arg-type]


class TestDuration:
    @pytest.mark.parametrize(
        ("seconds", "shown"),
        [
            (0.84, "840 ms"),
            (0.9999, "1.0 s"),
            (4.2, "4.2 s"),
            (59.97, "1 min 00 s"),
            (192, "3 min 12 s"),
            (7500, "2 h 05"),
            (273600, "3 d 4 h"),
            (-3, "\u22123.0 s"),
            (timedelta(minutes=1), "1 min 00 s"),
            (None, "unknown"),
        ],
    )
    def test_uses_the_unit_a_person_would(self, seconds, shown):
        assert _format.duration(seconds) == shown


class TestDue:
    @pytest.mark.parametrize(
        ("minutes", "words", "tone"),
        [
            (72, "in 1 h 12 min", "neutral"),
            (15, "in 15 min", "wait"),
            (5, "in 5 min", "danger"),
            (0, "overdue by 0 s", "critical"),
            (-3, "overdue by 3 min", "critical"),
            (60 * 26, "in 1 d 2 h", "neutral"),
        ],
    )
    def test_changes_words_and_tone_as_time_runs_out(self, minutes, words, tone):
        moment = NOW + timedelta(minutes=minutes)

        assert _format.remaining(moment, NOW) == words
        assert _format.urgency(moment, NOW) == tone


class TestMoments:
    def test_are_exact_for_machines_and_auditors(self):
        berlin = NOW.astimezone(tz=timedelta_zone(1))

        assert _format.iso(berlin) == "2026-11-21T10:42:07Z"
        assert _format.utc(berlin) == "2026-11-21 10:42:07 UTC"

    @pytest.mark.parametrize(
        ("ago", "shown"),
        [(timedelta(0), "10:42:07"), (timedelta(days=1), "20 Nov 10:42"), (timedelta(days=400), "17 Oct 2025 10:42")],
    )
    def test_carry_a_date_only_where_it_is_needed(self, ago, shown):
        assert _format.clock(NOW - ago, NOW) == shown

    @pytest.mark.parametrize(("seconds", "shown"), [(0, "now"), (-200, "3 min ago"), (45, "in 45 s")])
    def test_say_how_far_away_they_are(self, seconds, shown):
        assert _format.distance(NOW + timedelta(seconds=seconds), NOW) == shown


class TestCounts:
    def test_are_grouped_and_a_missing_one_is_unknown(self):
        assert _format.count(12940) == "12,940"
        assert _format.count(None) == "unknown"

    def test_of_bytes_have_a_unit(self):
        assert [_format.size(octets) for octets in (512, 4000, 1_540_000)] == ["512 B", "4.0 KB", "1.5 MB"]

    def test_of_percent_have_one_decimal(self):
        assert _format.percentage(Decimal("81.04")) == "81.0 %"


def timedelta_zone(hours: int):
    from datetime import timezone

    return timezone(timedelta(hours=hours))
