"""Canonical JSON against the RFC's own vectors, and the strict reader against bodies two parsers read differently."""

import json

import pytest

from audit.canonical import BadJSON, NotCanonical, canonical, digest, read_strict


class TestCanonical:
    def test_gives_the_example_of_rfc_8785_section_3_2_2(self):
        value = json.loads(
            '{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],'
            '"string": "\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/", "literals": [null, true, false]}'
        )
        assert canonical(value) == (
            '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
        )

    def test_sorts_names_by_utf_16_code_units(self):
        value = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
        assert list(json.loads(canonical(value)).values()) == [2, 4, 6, 7, 1, 5, 3]

    @pytest.mark.parametrize(
        ("number", "text"),
        [
            (0.0, "0"), (-0.0, "0"), (5e-324, "5e-324"), (1.7976931348623157e308, "1.7976931348623157e+308"),
            (9007199254740992.0, "9007199254740992"), (295147905179352830000.0, "295147905179352830000"),
            (9.999999999999997e22, "9.999999999999997e+22"), (1e23, "1e+23"), (1e21, "1e+21"), (1e20, "100000000000000000000"),
            (1e-7, "1e-7"), (0.000001, "0.000001"), (-1.5, "-1.5"), (333333333.3333332, "333333333.3333332"),
        ],
    )  # fmt: skip
    def test_writes_numbers_as_ecmascript_does(self, number, text):
        assert canonical(number) == text

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53 + 1, "\ud800", {1: 2}, {"a": {3}}])
    def test_refuses_what_has_no_canonical_form(self, value):
        with pytest.raises(NotCanonical):
            canonical(value)

    def test_gives_one_digest_whatever_the_order_of_the_keys(self):
        assert digest({"a": 1, "b": [True]}) == digest({"b": [True], "a": 1})


class TestReadStrict:
    @pytest.mark.parametrize(
        "raw",
        [
            b'{"a":1,"a":2}', b'{"a":NaN}', b'{"a":Infinity}', b'"\\ud800"', b'{"a":"\\u0000"}', b"\xff", b"{",
            b"[" * 50 + b"]" * 50, b'{"n":' + b"9" * 5000 + b"}", b'{"n":9007199254740993}', b"",
            b'{"n":2.5e18}', b'{"n":-9007199254740994.0}', b'{"n":1e22}', b'{"n":-1e300}',
        ],
    )  # fmt: skip
    def test_refuses_what_parsers_disagree_on(self, raw):
        with pytest.raises(BadJSON):
            read_strict(raw)

    def test_refuses_a_body_over_the_limit(self):
        with pytest.raises(BadJSON, match="limit"):
            read_strict(b'"' + b"x" * 100 + b'"', max_bytes=50)

    def test_reads_brackets_and_backslashes_inside_text_as_text(self):
        assert read_strict(b'{"a":"[[[{{{ \\\\u0000 \\" ]"}') == {"a": '[[[{{{ \\u0000 " ]'}
