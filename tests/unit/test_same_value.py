"""The critical value typed back: which it is; formatting is forgiven, a digit is not."""

import pytest

from approvals.models import ApprovalRequest
from approvals.rules.showing import critical_value, same_value
from audit.canonical import canonical


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


@pytest.mark.parametrize("other", ["consumer_id", "assumed", "summary", "value_date", "checksum", "note"])
def test_is_the_amount_whatever_else_is_named_like_one(other):
    arguments = {other: "C-7", "total": "4860.00", "zz_account": "1900"}
    request = ApprovalRequest(required=2, snapshot=canonical({"arguments": arguments}))

    assert critical_value(request).label == "total"
    del arguments["total"]
    request.snapshot = canonical({"arguments": arguments})
    assert critical_value(request).label == "zz_account"


@pytest.mark.parametrize("name", ["sum", "order_sum", "amountDue", "net_price", "total", "face_value", "Betrag"])
def test_is_found_under_the_names_that_amounts_have(name):
    request = ApprovalRequest(required=2, snapshot=canonical({"arguments": {"a_note": "C-7", name: "4860.00"}}))

    assert critical_value(request).label == name
