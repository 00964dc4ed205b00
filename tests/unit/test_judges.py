"""Judging by a schema from outside: nothing is fetched, nothing runs for ever, and a long list takes as long as it is."""

import socket

import pytest

from orchestrator.workflows.judges import UNJUDGED, faults, judge_of


def rules(schema, value):
    return [str(fault.validator) for fault in faults(judge_of(schema), value)]


class TestUniqueItems:
    @pytest.mark.parametrize(
        ("items", "broken"),
        [
            ([1, 2, 3], False),
            ([1, 1.0], True),
            ([True, 1], False),
            ([False, 0, None, ""], False),
            ([{"a": [1]}, {"a": [1.0]}], True),
            ([{"a": [1]}, {"a": [True]}], False),
            ([["x"], ["x"]], True),
            ([{"a": 1, "b": 2}, {"b": 2, "a": 1}], True),
        ],
    )
    def test_are_equal_where_json_schema_says_so(self, items, broken):
        assert bool(rules({"uniqueItems": True}, items)) is broken

    def test_of_fifty_thousand_are_looked_at_once_each(self):
        """Compared with each other they would take half an hour, far beyond the time any test has."""
        assert rules({"uniqueItems": True}, [{"line": number} for number in range(50_000)]) == []

    def test_may_repeat_where_nothing_forbids_it(self):
        assert rules({"uniqueItems": False}, [1, 1]) == []


class TestAReference:
    def test_to_another_server_is_never_followed(self):
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()
            server.settimeout(0.2)
            schema = {"$ref": f"http://127.0.0.1:{server.getsockname()[1]}/x.json"}

            (fault,) = faults(judge_of(schema), {})

            assert fault.message == UNJUDGED
            with pytest.raises(TimeoutError):
                server.accept()

    @pytest.mark.parametrize("schema", [{"$ref": "#"}, {"$ref": "#/$defs/nope"}])
    def test_that_leads_nowhere_or_round_in_a_circle_fits_nothing(self, schema):
        assert rules(schema, {}) == ["$ref"]

    def test_inside_the_schema_is_followed(self):
        schema = {"$defs": {"amount": {"type": "number"}}, "properties": {"amount": {"$ref": "#/$defs/amount"}}}

        assert rules(schema, {"amount": 1}) == []
        assert rules(schema, {"amount": "1"}) == ["type"]
