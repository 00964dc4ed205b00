"""Tallies: a sum of them is a histogram, and a time read out of one is as near as is said."""

import random
from decimal import Decimal

import pytest
from django.db import connection

from orchestrator.health.tallies import EDGES, buckets, percentile


def tally_of(times):
    """As the database makes and adds them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(orchestrator_tally(time))::text FROM unnest(%s::numeric[]) AS time", [times])
        return int(cursor.fetchone()[0])


def told_by_the_database(times, share):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT percentile_cont(%s) WITHIN GROUP (ORDER BY time::float) FROM unnest(%s::numeric[]) AS time",
            [share, times],
        )
        return cursor.fetchone()[0]


@pytest.mark.django_db
class TestATally:
    @pytest.mark.parametrize("many", [1, 2, 3, 40, 3_000])
    @pytest.mark.parametrize("seed", range(3))
    def test_tells_a_percentile_within_4_4_per_cent(self, many, seed):
        chance = random.Random(f"{many} {seed}")
        times = [Decimal(f"{chance.lognormvariate(1, 2):.6f}") for _ in range(many)]
        for share in (0, 0.5, 0.95, 1):
            assert percentile(tally_of(times), share) == pytest.approx(
                told_by_the_database(times, share), rel=0.044, abs=0.001
            )

    def test_takes_out_what_was_put_in(self):
        times = [Decimal("0.2"), Decimal("7"), Decimal("7.1"), Decimal("86400")]
        assert tally_of(times) - tally_of(times[1:3]) == tally_of([times[0], times[3]])

    def test_of_nothing_tells_nothing_and_of_no_time_at_all_none(self):
        assert percentile(0, 0.5) is None
        assert percentile(tally_of([Decimal("0"), Decimal("-1"), Decimal("0.0009")]), 0.95) == 0.0

    def test_has_its_edges_where_the_database_has_them(self):
        for number, edge in enumerate(EDGES):
            below, at = tally_of([Decimal(str(edge)) - Decimal("0.000001")]), tally_of([Decimal(str(edge))])
            assert (len(buckets(below)), len(buckets(at))) == (number + 1, number + 2), edge

    def test_of_longer_than_it_reaches_is_in_the_last_bucket(self):
        assert tally_of([Decimal(400 * 86_400)]) == tally_of([Decimal(200 * 86_400)])
        assert percentile(tally_of([Decimal(400 * 86_400)]), 0.5) == pytest.approx(EDGES[-1])
