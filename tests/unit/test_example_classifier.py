"""The rules of the reconciliation example: which row is what, and which file cannot be read."""

from __future__ import annotations

import csv
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.example_world import EXAMPLES, load

rows = load("reconciliation", "rows")
classifier = load("reconciliation", "classifier")

Cells = dict[str, str | None]
DEFAULTS = {"booked_on": "2026-03-10", "currency": "EUR", "counterparty": "Ott", "document": "", "text": ""}


def cells(reference: str, amount: str, **changes: str) -> Cells:
    return {"reference": reference, "amount": amount, **DEFAULTS, **changes}


def kinds(bank: list[Cells], ledger: list[Cells]) -> list[tuple[str, str, Decimal]]:
    found = classifier.classify(*rows.parse_files(bank, ledger, "EUR"))
    return [(finding.kind, finding.row.reference, finding.difference) for finding in found]


def sample(folder: str) -> tuple[list[Cells], list[Cells]]:
    return tuple(_read(f"{folder}/{name}.csv") for name in ("bank", "ledger"))  # type: ignore[return-value]


def _read(path: str) -> list[Any]:
    with (EXAMPLES / "reconciliation/data" / path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


LEDGER_ROW = cells("GL-1", "100.00", document="INV-1")
KINDS = [
    ("matched", cells("B-1", "100.00", document="INV-1"), "0"),
    ("matched", cells("B-1", "100.00", document="INV-1", booked_on="15.03.2026"), "0"),
    ("missing_in_ledger", cells("B-1", "100.00", document="INV-1", booked_on="2026-03-16"), "0"),
    ("rounding", cells("B-1", "99.95", document="INV-1"), "-0.05"),
    ("rounding", cells("B-1", "100.05", document="INV-1"), "0.05"),
    ("missing_in_ledger", cells("B-1", "99.94", document="INV-1"), "0"),
    ("fx_difference", cells("B-1", "104.90", document="INV-1", text="USD 112.00"), "4.90"),
    ("missing_in_ledger", cells("B-1", "105.10", document="INV-1", text="USD 112.00"), "0"),
    ("fx_difference", cells("B-1", "104.90", document="INV-1", text="GBP 1.450,00 rate 1.17920"), "4.90"),
    # What looks like money and is none explains no difference: a number of an invoice, a tax, a rate, a share.
    ("missing_in_ledger", cells("B-1", "95.10", document="INV-1", text="INV 26127"), "0"),
    ("missing_in_ledger", cells("B-1", "95.10", document="INV-1", text="Paint VAT 19% incl"), "0"),
    ("missing_in_ledger", cells("B-1", "95.10", document="INV-1", text="VAT 19.00 incl"), "0"),
    ("missing_in_ledger", cells("B-1", "95.10", document="INV-1", text="USD 112"), "0"),
    ("missing_in_ledger", cells("B-1", "95.10", document="INV-1", text="at USD 1.05880"), "0"),
    ("missing_in_ledger", cells("B-1", "95.10", document="INV-1", text="TOP 19.00%"), "0"),
    ("missing_in_ledger", cells("B-1", "95.10", document="INV-1", text="EUR 112.00"), "0"),
    ("bank_fee", cells("B-1", "-9.90", counterparty="", text="Card fee March"), "-9.90"),
    ("bank_fee", cells("B-1", "-38.50", counterparty="", text="Charges for foreign payment BILL-8790"), "-38.50"),
    ("interest", cells("B-1", "21.37", counterparty="", text="Credit interest"), "21.37"),
    # Somebody's money is not the bank's own, whatever they call it.
    ("missing_in_ledger", cells("B-1", "-900.00", document="BILL-99", text="Licence fee Q2"), "-900.00"),
    ("missing_in_ledger", cells("B-1", "900.00", text="Monthly fee INV-77"), "900.00"),
    ("missing_in_ledger", cells("B-1", "-900.00", counterparty="", document="BILL-99", text="Fee"), "-900.00"),
    ("missing_in_ledger", cells("B-1", "21.37", text="Interest on the deposit"), "21.37"),
    ("customer_refund", cells("B-1", "-64.50", document="CN-7"), "-64.50"),
    ("customer_refund", cells("B-1", "-64.50", text="Refund for late delivery"), "-64.50"),
    ("missing_in_ledger", cells("B-1", "4860.00", text="Payment as agreed"), "4860.00"),
]


class TestClassify:
    @pytest.mark.parametrize(("kind", "bank_row", "difference"), KINDS)
    def test_says_what_a_bank_row_is(self, kind: str, bank_row: Cells, difference: str) -> None:
        assert kinds([bank_row], [LEDGER_ROW])[0] == (kind, "B-1", Decimal(difference))

    def test_calls_the_second_payment_of_one_document_a_duplicate(self) -> None:
        bank = [cells(name, "100.00", document="INV-1") for name in ("B-1", "B-2")]

        assert kinds(bank, [LEDGER_ROW]) == [
            ("matched", "B-1", Decimal(0)),
            ("duplicate", "B-2", Decimal("100.00")),
        ]

    def test_prefers_an_exact_match_to_an_earlier_row_that_only_shares_the_document(self) -> None:
        bank = [
            cells("B-1", "99.99", document="INV-1"),
            cells("B-2", "100.00", document="INV-1"),
        ]

        assert kinds(bank, [LEDGER_ROW])[1] == ("matched", "B-2", Decimal(0))

    def test_takes_the_ledger_row_closest_in_time(self) -> None:
        ledger = [
            cells("GL-1", "5.00", booked_on="2026-03-06"),
            cells("GL-2", "5.00", booked_on="2026-03-09"),
        ]

        assert kinds([cells("B-1", "5.00")], ledger)[1] == ("missing_in_bank", "GL-1", Decimal(0))

    def test_reports_a_ledger_row_the_bank_never_saw_without_adjusting_anything(self) -> None:
        found = kinds([cells("B-1", "-9.90", counterparty="", text="Card fee")], [LEDGER_ROW])

        assert found[1] == ("missing_in_bank", "GL-1", Decimal(0))


class TestAdjustments:
    def test_debits_the_expense_when_the_bank_holds_less_and_the_bank_when_it_holds_more(self) -> None:
        bank = [
            cells("B-1", "-9.90", counterparty="", text="fee"),
            cells("B-2", "21.37", counterparty="", text="interest"),
        ]
        found = classifier.classify(*rows.parse_files(bank, [LEDGER_ROW], "EUR"))

        fee, interest = classifier.adjustments(found, "B-0123456789abcdef")

        assert (fee["account"], fee["counter_account"], fee["amount"]) == ("6855", "1800", "9.90")
        assert (interest["account"], interest["counter_account"]) == ("1800", "7100")
        assert fee["reference"] == "ADJ-01234567-B-1"

    def test_an_invoice_paid_twice_faces_a_customer_and_a_bill_paid_twice_does_not(self) -> None:
        bank = [
            cells(f"{document}-{number}", amount, document=document)
            for document, amount in (("INV-1", "100.00"), ("BILL-1", "-50.00"))
            for number in (1, 2)
        ]
        ledger = [LEDGER_ROW, cells("GL-2", "-50.00", document="BILL-1")]
        found = classifier.classify(*rows.parse_files(bank, ledger, "EUR"))

        wanted = classifier.adjustments(found, "B-1")

        assert [(item["memo"][:6], item["customer_facing"]) for item in wanted] == [
            ("BILL-1", False),
            ("INV-1 ", True),
        ]

    @pytest.mark.parametrize(("folder", "small", "customer_facing", "large"), [(".", 6, 3, 2), ("small", 1, 1, 1)])
    def test_of_the_samples_fall_into_the_tiers_their_readme_promises(
        self, folder: str, small: int, customer_facing: int, large: int
    ) -> None:
        found = classifier.classify(*rows.parse_files(*sample(folder), "EUR"))

        tiers = Counter(_tier(item) for item in classifier.adjustments(found, "B-1"))

        assert tiers == {"small": small, "customer_facing": customer_facing, "large": large}


def _tier(item: dict[str, Any]) -> str:
    if Decimal(item["amount"]) > 1000:
        return "large"
    return "customer_facing" if item["customer_facing"] else "small"


GOOD = cells("B-1", "5.00")
BAD_ROWS = [
    (cells("B-1", "5,0"), "bank file, row 1 (B-1), column amount: '5,0' is not an amount; write it like -1234.56"),
    (cells("B-1", "1.250"), "column amount: '1.250' is not an amount"),
    (cells("B-1", "0.00"), "column amount: it is zero; remove the row"),
    (cells("B-1", ""), "column amount: the cell is empty; fill it in"),
    (cells("", "5.00"), "bank file, row 1, column reference: the cell is empty"),
    (
        cells("B-1", "5.00", booked_on="05/06/2026"),
        "'05/06/2026' is not a date; write 2026-03-31 or 31.03.2026",
    ),
    (cells("B-1", "5.00", booked_on="2026-02-30"), "'2026-02-30' is not a date"),
    (cells("B-1", "5.00", currency="USD"), "'USD' in a batch of 'EUR'; reconcile each currency on its own"),
    ({**GOOD, "amount": None}, "column amount: the cell is empty"),
    ({"reference": "B-1"}, "bank file: column booked_on, amount, currency"),
    ({"reference;amount": "B-1;5,00"}, "save it with commas between the cells"),
    ({"reference\tamount": "B-1\t5,00"}, "save it with commas between the cells"),
    ({name.upper(): cell for name, cell in GOOD.items()}, "write the names in small letters"),
    ({f" {name}": cell for name, cell in GOOD.items()}, "without blanks around them"),
]


class TestReadingFiles:
    @pytest.mark.parametrize(("row", "message"), BAD_ROWS)
    def test_names_the_cell_that_is_wrong_and_the_remedy(self, row: Cells, message: str) -> None:
        with pytest.raises(rows.BadRows) as refusal:
            rows.parse_files([row], [GOOD], "EUR")

        assert message in str(refusal.value)

    def test_says_nothing_of_currencies_where_the_bank_names_none(self) -> None:
        bank = [{name.upper(): cell for name, cell in GOOD.items()}]

        with pytest.raises(rows.BadRows) as refusal:
            rows.parse_files(bank, [GOOD], rows.batch_currency(bank, None))

        assert "ledger file" not in str(refusal.value)

    def test_refuses_a_reference_that_stands_twice_in_one_file(self) -> None:
        with pytest.raises(rows.BadRows, match=r"ledger file, row 2, .*'B-1' already stands in row 1"):
            rows.parse_files([GOOD], [GOOD, GOOD], "EUR")

    def test_refuses_a_file_without_rows(self) -> None:
        with pytest.raises(rows.BadRows, match="bank file: it has no rows below the header"):
            rows.parse_files([], [GOOD], "EUR")

    def test_lists_everything_that_is_wrong_but_not_without_end(self) -> None:
        bad = [cells(f"B-{number}", "x") for number in range(14)]

        with pytest.raises(rows.BadRows) as refusal:
            rows.parse_files(bad, [GOOD], "EUR")

        assert len(str(refusal.value).splitlines()) == 11
        assert str(refusal.value).endswith("... and 4 more")

    def test_lists_the_four_mistakes_of_the_broken_sample(self) -> None:
        with pytest.raises(rows.BadRows) as refusal:
            rows.parse_files(*sample("broken"), "EUR")

        assert [line.split(":")[0] for line in str(refusal.value).splitlines()] == [
            "bank file, row 2 (BS-0502), column booked_on",
            "bank file, row 3 (BS-0503), column amount",
            "bank file, row 4 (BS-0504), column currency",
            "bank file, row 5, column reference",
        ]

    @pytest.mark.parametrize(
        ("text", "amount"),
        [
            ("1234.56", "1234.56"),
            ("-1.234,56", "-1234.56"),
            ("1,234,567.89", "1234567.89"),
            ("1 234,56", "1234.56"),
            ("1'234.50", "1234.50"),
            ("+12", "12.00"),
            ("1.234", None),
            ("1,234", None),
            ("1.234.56", None),
            ("12.345,6", None),
            ("1,23,456.00", None),
            ("", None),
            ("--5.00", None),
            ("1e5", None),
        ],
    )
    def test_reads_amounts_in_one_way_only_or_not_at_all(self, text: str, amount: str | None) -> None:
        assert rows.read_amount(text) == (amount and Decimal(amount))
