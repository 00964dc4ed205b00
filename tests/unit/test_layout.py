"""How the values of an act are laid out: whatever they are, each stands in exactly one part of its page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.models import ApprovalRequest
from approvals.queries.layout import parts_of
from approvals.rules.showing import rows_of
from approvals.snapshots import read
from audit.canonical import canonical
from tests.unit.test_snapshots import VALUES

HEADS = st.sampled_from(["because", "comes_next", "input", "steps", "message", "failure_class", "another", ""])


def laid_out(arguments, tool="step:approve", required=1):
    rows = rows_of(read(canonical({"arguments": arguments, "record": None})).arguments, None)
    return rows, parts_of(rows, ApprovalRequest(tool=tool, required=required))


class TestLayout:
    @given(st.dictionaries(HEADS, VALUES, min_size=1))
    def test_leaves_nothing_out_and_shows_nothing_twice(self, arguments):
        rows, parts = laid_out(arguments)

        assert sorted(map(repr, (row for part in parts for row in part.rows))) == sorted(map(repr, rows))

    @given(st.dictionaries(HEADS, VALUES, min_size=1))
    def test_keeps_a_call_together_and_open(self, arguments):
        rows, (part,) = laid_out(arguments, tool="erp.post")

        assert (part.rows, part.folds) == (rows, False)

    @pytest.mark.parametrize(("required", "opened"), [(1, False), (2, True)])
    def test_folds_what_each_step_gave_for_one_person_and_opens_it_for_two(self, required, opened):
        gave = {"draft": {"reply": "Dear customer", "amount": 5}, "look": {"rows": []}}
        _, parts = laid_out({"steps": gave, "because": {"amount": 5}}, required=required)

        assert [(part.title, part.folds, part.opened) for part in parts] == [
            ("What the conditions looked at", False, False),
            ("What draft gave", True, opened),
            ("What look gave", True, opened),
        ]
        assert parts[1].summary == "2 values: amount 5, reply Dear customer"
