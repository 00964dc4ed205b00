"""The frozen bytes as rows: total, exact, and compared with the record where the record has something to say."""

from hypothesis import given
from hypothesis import strategies as st

from approvals.snapshots import difference, read
from audit.canonical import canonical

FLOATS = st.floats(allow_nan=False, allow_infinity=False).filter(lambda one: not 2**53 < abs(one) < 1e21)
NUMBERS = st.integers(-(2**53), 2**53) | FLOATS
LEAVES = st.none() | st.booleans() | NUMBERS | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=4)
)


def snapshot(arguments, record=None, **more):
    return canonical({"arguments": arguments, "record": record, "tool": "erp.post", "revision": 1, **more})


def leaves(value):
    if isinstance(value, dict) and value:
        return sum(map(leaves, value.values()))
    if isinstance(value, list) and value:
        return sum(map(leaves, value))
    return 1


class TestRead:
    @given(st.dictionaries(st.text("abc", min_size=1), VALUES, min_size=1, max_size=5))
    def test_shows_every_scalar_and_every_empty_container(self, arguments):
        assert len(read(snapshot(arguments)).arguments) == leaves(arguments)

    @given(NUMBERS)
    def test_keeps_the_digits_that_were_signed(self, number):
        text = snapshot({"n": number})

        shown = read(text).arguments[0].text

        assert f'"n":{shown}' in text

    def test_tells_text_that_looks_like_a_number_from_a_number(self):
        shown = read(snapshot({"a": "1", "b": 1})).arguments

        assert [(value.text, value.kind) for value in shown] == [("1", "text"), ("1", "number")]

    def test_shows_what_else_the_signature_covers(self):
        bound = read(snapshot({}, release=None, agent="poster")).bound

        assert {value.label: value.text for value in bound} == {
            "agent": "poster", "release": "(null)", "revision": "1", "tool": "erp.post",
        }  # fmt: skip

    def test_finds_the_amount_only_beside_its_currency(self):
        assert read(snapshot({"amount": "4860.00", "currency": "EUR"})).amount == ("4860.00", "EUR")
        assert read(snapshot({"amount": "4860.00"})).amount is None


class TestChanges:
    def test_stand_beside_the_records_value_in_the_same_place(self):
        reading = read(snapshot({"iban": "7406", "amount": "1"}, {"iban": "7466"}))

        assert [(row.label, row.before, row.after) for row in reading.compared] == [("iban", "7466", "7406")]
        assert reading.not_in_record == ["amount"]

    def test_look_into_the_record_of_the_thing_an_argument_names(self):
        record = {"counter_account": {"account": "1590", "status": "open"}}
        reading = read(snapshot({"counter_account": "1591"}, record))

        assert [(row.before, row.after) for row in reading.compared] == [("1590", "1591")]

    def test_without_a_record_are_not_made_up(self):
        reading = read(snapshot({"amount": "1"}))

        assert (reading.has_record, reading.compared, reading.record) == (False, [], [])


class TestDifference:
    def test_names_only_what_differs(self):
        old, new = snapshot({"amount": "1", "to": "A"}), snapshot({"amount": "2", "to": "A", "memo": "x"})

        assert [(row.label, row.before, row.after) for row in difference(old, new)] == [
            ("arguments / amount", "1", "2"),
            ("arguments / memo", None, "x"),
        ]

    @given(VALUES)
    def test_of_a_thing_and_itself_is_nothing(self, value):
        text = snapshot({"value": value})

        assert difference(text, text) == []
