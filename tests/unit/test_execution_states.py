"""The head of an execution's page: what repeats itself is told once, and so is time in which several people were asked."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.queries.execution import covered, told_once


@pytest.mark.parametrize(
    ("happened", "told"),
    [
        ("QRD", "QRD"),
        ("QRWRD", "QRWRD"),
        ("QRWRWRWRD", "Qr*w*RD"),
        ("QRWRW", "Qr*w*"),
        ("QRWBRWD", "QRWBRWD"),
        ("", ""),
    ],
)
def test_back_and_forth_is_told_once_with_its_last_times_and_that_they_are_not_the_first(happened, told):
    rows = told_once([(state, at) for at, state in enumerate(happened)])

    assert "".join(f"{state.lower()}*" if again else state for state, _, again in rows) == told
    assert [at for _, at, _ in rows][-1:] == [len(happened) - 1][: len(rows)]


@pytest.mark.parametrize(
    ("asked", "hours"),
    [
        ([], 0),
        ([(8, 9)], 1),
        ([(8, 9), (12, 14)], 3),
        ([(8, 12), (9, 10)], 4),
        ([(8, 12), (9, 10), (11, 13)], 5),
    ],
    ids=["nobody", "one", "one after the other", "side by side", "in part side by side"],
)
def test_people_are_waited_for_once_however_many_are_asked_at_the_same_time(asked, hours):
    day = datetime(2026, 11, 29, tzinfo=UTC)

    waited = covered((day + timedelta(hours=begun), day + timedelta(hours=ended)) for begun, ended in asked)

    assert waited == timedelta(hours=hours)
