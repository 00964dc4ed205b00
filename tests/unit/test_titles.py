"""The one line a tool has for people: filled from its arguments, and from the record where one was read."""

import pytest

from orchestrator.gate.snapshot import title_of
from orchestrator.models import Tool

RECORD = {"account": {"name": "Bank charges", "revision": 3}, "closed": True}


def title(template, arguments, record=None):
    return title_of(Tool(name="erp.post", title=template), arguments, record)


class TestATitle:
    @pytest.mark.parametrize(
        ("template", "says"),
        [
            ("Debit {account} ({record.account.name})", "Debit 6855 (Bank charges)"),
            ("{record.account.name}: debit {account}", "Bank charges: debit 6855"),
            ("Revision {record.account.revision} of {account}", "Revision 3 of 6855"),
        ],
    )
    def test_names_what_the_record_says(self, template, says):
        assert title(template, {"account": "6855"}, RECORD) == says

    @pytest.mark.parametrize("record", [None, {}, {"account": {"name": ""}}, {"account": ["Bank"]}, {"account": None}])
    def test_does_without_a_record_that_does_not_say_it(self, record):
        template = "Debit {account} ({record.account.name}), credit {other}"

        assert title(template, {"account": "6855", "other": "1800"}, record) == "Debit 6855, credit 1800"

    def test_says_which_argument_is_missing(self):
        assert title("Debit {account}", {}) == "Debit (account not given)"

    def test_fills_no_place_that_an_argument_or_the_record_brought_along(self):
        record = {"account": {"name": "{account} {record.closed}"}}

        assert title("{record.account.name} {memo}", {"memo": "{record.account.name}"}, record) == (
            "{account} {record.closed} {record.account.name}"
        )

    def test_leaves_what_comes_after_a_long_text_in_sight(self):
        words = {"memo": "x" * 5_000, "amount": "12500.00"}

        assert title("{memo}: pay {amount} from {record.account.name}", words, RECORD) == (
            f"{'x' * 59}…: pay 12500.00 from Bank charges"
        )

    def test_says_that_it_goes_on_where_it_is_cut(self):
        said = title("a" * 190 + " pay {amount}", {"amount": "12500.00"})

        assert said == "a" * 190 + " pay 1250…"
        assert len(said) == 200
