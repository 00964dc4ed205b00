"""A pause is suggested after an hour without one, or after many heavy decisions; and never by a single long absence."""

from datetime import UTC, datetime, timedelta

from approvals.rules.pauses import suggest

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)


def decided(*minutes_ago, tier="customer_facing"):
    return [(NOW - timedelta(minutes=minutes), tier) for minutes in sorted(minutes_ago)]


class TestSuggest:
    def test_says_nothing_to_whoever_has_decided_nothing_or_little(self):
        assert suggest([], now=NOW) is None
        assert suggest(decided(1, 10, 20), now=NOW) is None

    def test_speaks_after_an_hour_without_a_rest(self):
        assert suggest(decided(*range(1, 62, 10)), now=NOW).minutes == 61

    def test_counts_from_the_last_rest(self):
        assert suggest(decided(1, 10, 20, 36, 46, 56, 66), now=NOW) is None

    def test_says_nothing_to_whoever_rests_now(self):
        assert suggest(decided(*range(15, 90, 10)), now=NOW) is None

    def test_speaks_after_25_acts_that_need_two_people(self):
        assert suggest(decided(*range(1, 25), tier="financial"), now=NOW) is None
        assert suggest(decided(*range(1, 26), tier="financial"), now=NOW).heavy == 25
