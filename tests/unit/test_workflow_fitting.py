"""The quick yes to a value is never another answer than jsonschema's."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestrator.workflows.fitting import quick_check

NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, -2.0]) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
SIZES = st.integers(0, 3)
TYPES = st.sampled_from(["object", "array", "string", "boolean", "null", "number", "integer"])
WORDS = {
    "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
    "required": st.lists(NAMES, unique=True),
    "enum": st.lists(VALUES, min_size=1, max_size=3),
    "title": st.just("of no matter"),
    **dict.fromkeys(["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"], SIZES),
    **dict.fromkeys(["minimum", "maximum"], st.integers(-2, 2) | st.sampled_from([0.5])),
    "pattern": st.just("^a"),
}
SCHEMAS = st.recursive(
    st.booleans() | st.fixed_dictionaries({}, optional=WORDS),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            **WORDS,
            "properties": st.dictionaries(NAMES, inner, max_size=2),
            "additionalProperties": inner,
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
        },
    ),
    max_leaves=4,
)


@settings(max_examples=400, deadline=None)
@given(SCHEMAS, VALUES)
def test_what_it_says_yes_to_is_valid(schema, value):
    check = quick_check(schema)
    if check is not None and check(value):
        assert Draft202012Validator(schema).is_valid(value)


SINGLE_WORDS = [
    *({"type": name} for name in ["object", "array", "string", "boolean", "null", "number", "integer"]),
    *({word: 2} for word in ["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"]),
    *(
        {"minimum": 1},
        {"maximum": 0},
        {"enum": [1, "a", True, None]},
        {"required": ["a"]},
        {"items": {"type": "integer"}},
    ),
    *({"additionalProperties": False}, {"properties": {"a": {"type": "integer"}}}, True, False),
]
PLAIN_VALUES = [None, True, False, 0, 1, 2, 1.0, 0.5, "", "a", "abc", [], [True], [1, 2, 3], {}, {"a": True}, {"a": 1}]


@pytest.mark.parametrize("schema", SINGLE_WORDS, ids=str)
def test_a_word_by_itself_never_says_yes_where_jsonschema_says_no(schema):
    check = quick_check(schema)
    assert not [one for one in PLAIN_VALUES if check(one) and not Draft202012Validator(schema).is_valid(one)]


def test_it_says_yes_to_what_steps_give_back():
    schema = {
        "type": "object",
        "required": ["text"],
        "additionalProperties": False,
        "properties": {
            "text": {"type": "string", "minLength": 1},
            "rows": {"type": "array", "items": {"type": "number"}},
        },
    }
    check = quick_check(schema)
    assert check({"text": "a", "rows": [1, 0.5]})
    assert not check({"text": "", "rows": []})
    assert not check({"text": "a", "rows": [True]})
    assert not check({"text": "a", "more": 1})


@pytest.mark.parametrize("word", ["$ref", "anyOf", "pattern", "if", "const", "a word of tomorrow"])
def test_a_word_it_does_not_know_is_left_to_jsonschema(word):
    assert quick_check({"type": "object", "properties": {"a": {word: "#"}}}) is None
