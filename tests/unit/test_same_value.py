"""The critical value typed back: formatting is forgiven, a digit is not."""

import pytest

from approvals.rules.showing import same_value


@pytest.mark.parametrize(
    ("typed", "signed"),
    [
        ("4860", "4860.00"), ("4,860.00", "4860.00"), ("4.860,00", "4860.00"), ("EUR 4 860.00", "4860.00"),
        ("€4,860", "4860"), ("48,20", "48.20"), ("4'860.00", "4860.00"), ("1.234.567", "1234567"), ("1e3", "1000"),
        ("de12 3456 7890", "DE1234567890"), ("Halden Freight AB", "halden  freight ab"), (" a@b.de ", "a@b.de"),
        ("-5", "-5.0"),
    ],
)  # fmt: skip
def test_forgives_formatting(typed, signed):
    assert same_value(typed, signed)


@pytest.mark.parametrize(
    ("typed", "signed"),
    [
        ("486.00", "4860.00"), ("48600", "4860.00"), ("4861", "4860"), ("", "4860.00"), (" ", "4860"), ("40", "0040"),
        ("DE1234567891", "DE1234567890"), ("ab@x.de", "a.b@x.de"), ("5", "-5"), ("", "x"), ("nan", "1"), ("1e999999", "1"),
    ],
)  # fmt: skip
def test_forgives_no_digit(typed, signed):
    assert not same_value(typed, signed)
