"""A broken rule in words: what is asked for, never what was given."""

import pytest
from jsonschema import Draft202012Validator

from orchestrator.workflows.broken_rules import broken_rule, in_short

SECRET = "hunter2"


def rule(schema, value):
    [problem] = Draft202012Validator(schema).iter_errors(value)
    return broken_rule(problem)


@pytest.mark.parametrize(
    ("schema", "value", "says"),
    [
        ({"type": "integer"}, SECRET, "has to be a whole number"),
        ({"type": ["number", "null"]}, SECRET, "has to be a number or null"),
        ({"maximum": 500}, 501, "has to be at most 500"),
        ({"exclusiveMinimum": 0}, 0, "has to be more than 0"),
        ({"minLength": 12}, SECRET, "has to be 12 or more characters long"),
        ({"pattern": "^ORD-[0-9]+$"}, SECRET, "has to fit the pattern ^ORD-[0-9]+$"),
        ({"pattern": "^ORD-[0-9]+$", "description": "an order, as ORD-17"}, SECRET,
         "has to fit the pattern ^ORD-[0-9]+$ (an order, as ORD-17)"),
        ({"enum": ["EUR", "USD"]}, SECRET, "has to be one of EUR, USD"),
        ({"enum": [1, None]}, SECRET, "has to be one of 1, null"),
        ({"const": ["a"]}, SECRET, 'has to be ["a"]'),
        ({"required": ["order"]}, {"pin": SECRET}, "'order' is a required property"),
        ({"properties": {"order": {}}, "additionalProperties": False}, {"pin": SECRET}, "may hold nothing but order"),
        ({"additionalProperties": False}, {"pin": SECRET}, "may hold nothing but what it asks for"),
        ({"uniqueItems": True}, [SECRET, SECRET], "may hold nothing twice"),
        ({"not": {"type": "string"}}, SECRET, "breaks the rule not"),
    ],
)  # fmt: skip
def test_says_what_is_asked_for_and_not_what_was_given(schema, value, says):
    assert rule(schema, value) == says


def test_a_schema_that_goes_on_and_on_is_cut_short_and_says_so():
    said = rule({"enum": ["x" * 5_000]}, SECRET)

    assert (len(said), said[-1]) == (200, "…")


def test_a_schema_that_is_false_fits_nothing_and_says_so():
    assert rule(False, SECRET) == "may not be there"


def test_a_long_value_leaves_room_for_what_is_wrong_with_it():
    [problem] = Draft202012Validator({"maxItems": 5_000}).iter_errors([{"text": SECRET}] * 5_001)

    assert in_short(problem) == "may hold no more items than 5000"


def test_a_short_value_is_quoted():
    [problem] = Draft202012Validator({"type": "integer"}).iter_errors("five")

    assert in_short(problem) == "'five' is not of type 'integer'"
