"""Ids sort by the moment they were made, and a moment can be asked for as an id."""

from datetime import UTC, datetime, timedelta

from audit.ids import earliest_id, new_id

MILLISECOND = timedelta(milliseconds=1)


def test_an_id_lies_between_the_moments_before_and_after_it():
    before = datetime.now(UTC)
    made = new_id()
    after = datetime.now(UTC) + MILLISECOND

    assert earliest_id(before) <= made < earliest_id(after)
    assert earliest_id(before - MILLISECOND) < earliest_id(before)
