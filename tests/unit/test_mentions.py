"""What an execution knows about the thing its act names stands beside the act."""

from orchestrator.gate.mentions import Place, mentions

BANK = [
    {"reference": "BS-1001", "amount": "12.00", "text": "Card fee"},
    {"reference": "BS-1002", "amount": "2750.00", "text": "Second payment"},
]
ACT = {"reference": "ADJ-7-BS-1002", "batch_id": "B-77aa", "amount": "2750.00", "memo": "paid twice"}


def found(arguments, *contents):
    return mentions(arguments, [Place(f"place {n}", content) for n, content in enumerate(contents)])


class TestMentions:
    def test_are_the_objects_that_hold_a_reference_of_the_act(self):
        assert found(ACT, {"bank": BANK}) == [{"label": "bank / 2", "source": "place 0", "value": BANK[1]}]

    def test_are_found_where_the_reference_stands_alone_in_the_act(self):
        assert [one["label"] for one in found({"case": "C-2041"}, {"cases": [{"id": "C-2041"}]})] == ["cases / 1"]

    def test_are_not_what_only_begins_like_it(self):
        assert found({"reference": "ADJ-7-BS-10021"}, {"bank": BANK}) == []

    def test_are_no_amounts_dates_or_words(self):
        assert found(ACT, {"rows": [{"amount": "2750.00", "memo": "paid twice", "on": "2026-04-01"}]}) == []

    def test_are_not_the_act_itself_again(self):
        assert found(ACT, {"adjustments": [ACT]}) == []

    def test_come_once_from_the_first_place_that_has_them(self):
        assert [one["source"] for one in found(ACT, {"bank": BANK}, {"bank": BANK})] == ["place 0"]

    def test_are_not_other_acts_of_the_same_kind(self):
        other = {**ACT, "reference": "ADJ-7-BS-1001", "amount": "12.00"}
        assert found(ACT, {"adjustments": [other]}) == []

    def test_are_not_everything_of_a_batch(self):
        batch = [{"batch_id": "B-77aa", "amount": f"{n}.00"} for n in range(4)]
        assert found(ACT, {"adjustments": batch}) == []
        assert len(found(ACT, {"adjustments": batch[:3]})) == 3

    def test_never_flood_the_page(self):
        many = [{"id": f"BS-1{n:03}", "of": "ADJ-7-BS-1002", **{f"k{m}": m for m in range(50)}} for n in range(3)]
        act = {"all": " ".join(f"BS-1{n:03}" for n in range(200))}
        seen = found(act, {"rows": [{"id": f"BS-1{n:03}"} for n in range(200)]}, {"rows": many})
        assert len(seen) == 5
        assert all(len(one["value"]) <= 20 for one in found(ACT, {"rows": many}))
