"""The line of states: what repeats itself is told once."""

import pytest

from orchestrator.queries.execution import told_once


@pytest.mark.parametrize(
    ("happened", "told"),
    [
        ("QRD", "QRD"),
        ("QRWRD", "QRWRD"),
        ("QRWRWRWRD", "QRWRD"),
        ("QRWRW", "QRW"),
        ("QRWBRWD", "QRWBRWD"),
        ("", ""),
    ],
)
def test_back_and_forth_is_told_once_with_its_last_times(happened, told):
    rows = told_once([(state, at) for at, state in enumerate(happened)])

    assert "".join(state for state, _ in rows) == told
    assert [at for _, at in rows][-1:] == [len(happened) - 1][: len(rows)]
