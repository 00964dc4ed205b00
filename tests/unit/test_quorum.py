"""Signatures against seats: one signature takes one seat, and the quorum is met only if all seats are taken at once."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.quorum import Need, assign, open_to, people_of, seats_of, union, words, would_help

FINANCE, RISK = Need(("finance",), 1), Need(("risk",), 1)
TITLES = {"finance": "Finance", "risk": "Risk", "legal": "Legal"}


def people(*groups):
    return {number: frozenset(names) for number, names in enumerate(groups)}


def is_met(required, needs, signers):
    seats = seats_of(required, needs)
    return len(assign(seats, signers)) == len(seats)


class TestAQuorum:
    @pytest.mark.parametrize(
        ("signers", "met"),
        [
            (people(), False),
            (people(["finance"]), False),
            (people(["finance"], ["risk"]), True),
            (people(["finance"], ["finance"]), False),
            (people(["finance", "risk"]), False),
            (people(["finance", "risk"], ["finance"]), True),
            (people(["finance"], ["finance", "risk"]), True),
            (people(["finance"], []), False),
        ],
    )
    def test_of_one_from_finance_and_one_from_risk(self, signers, met):
        assert is_met(2, [FINANCE, RISK], signers) is met

    def test_counts_a_member_of_both_groups_once(self):
        assert not is_met(2, [FINANCE, RISK], people(["finance", "risk"]))
        assert is_met(2, [FINANCE, RISK], people(["finance", "risk"], ["finance", "risk"]))

    def test_may_have_a_seat_for_any_reviewer_beside_those_of_groups(self):
        assert is_met(2, [RISK], people([], ["risk"]))
        assert not is_met(2, [RISK], people([], []))

    def test_moves_somebody_to_another_seat_of_theirs_to_make_room(self):
        needs = [Need(("finance",), 1), Need(("finance", "risk"), 1), Need(("legal", "risk"), 1)]
        assert is_met(3, needs, people(["finance", "risk"], ["finance"], ["risk"]))


class TestWords:
    @pytest.mark.parametrize(
        ("required", "needs", "signers", "said"),
        [
            (1, [], people(), "one reviewer"),
            (2, [], people([]), "one more reviewer"),
            (2, [FINANCE, RISK], people(), "one from Finance and one from Risk"),
            (2, [FINANCE, RISK], people(["finance"]), "one from Risk"),
            (2, [FINANCE, RISK], people(["finance", "risk"]), "one from Finance or Risk"),
            (3, [Need(("finance", "risk"), 2)], people(), "two from Finance or Risk and one more reviewer"),
            (2, [FINANCE, RISK], people(["finance"], ["risk"]), ""),
            (1, [Need(("gone",), 1)], people(), "one from gone"),
        ],
    )
    def test_name_who_is_still_needed(self, required, needs, signers, said):
        assert words(seats_of(required, needs), signers, TITLES) == said


class TestSeveralPolicies:
    def test_ask_for_the_union_of_their_groups_and_the_larger_number(self):
        assert union([[FINANCE], [Need(("finance",), 2), RISK]]) == (Need(("finance",), 2), RISK)

    def test_need_as_many_people_as_their_groups_together(self):
        assert people_of(2, [Need(("finance",), 2), RISK]) == 3
        assert people_of(2, [RISK]) == 2


GROUPS = ["a", "b", "c"]
MEMBERSHIPS = st.frozensets(st.sampled_from(GROUPS))
SIGNERS = st.lists(MEMBERSHIPS, max_size=5).map(lambda groups: people(*groups))
NEEDS = st.lists(
    st.builds(lambda names, count: Need(tuple(sorted(names)), count), st.sets(st.sampled_from(GROUPS), min_size=1),
              st.integers(1, 2)), max_size=2,
)  # fmt: skip


def by_trying_everything(seats, signers):
    """The most seats any order of people over seats can fill."""
    places = [*seats, *[None] * len(signers)]
    return max(
        (
            sum(
                seat is not None and (not seat or bool(seat & signers[person]))
                for person, seat in zip(signers, order, strict=True)
            )
            for order in set(permutations(places, len(signers)))
        ),
        default=0,
    )


class TestAnyQuorum:
    @given(required=st.integers(1, 3), needs=NEEDS, signers=SIGNERS)
    def test_fills_as_many_seats_as_trying_everything_does(self, required, needs, signers):
        seats = seats_of(people_of(required, needs), needs)
        taken = assign(seats, signers)

        assert len(taken) == by_trying_everything(seats, signers)
        assert len(set(taken.values())) == len(taken)
        assert all(not seats[number] or seats[number] & signers[person] for number, person in taken.items())

    @given(required=st.integers(1, 3), needs=NEEDS, signers=SIGNERS, groups=MEMBERSHIPS)
    def test_says_that_somebody_would_help_exactly_when_one_more_seat_is_then_filled(
        self, required, needs, signers, groups
    ):
        seats = seats_of(people_of(required, needs), needs)
        with_them = {**signers, "next": groups}
        helps = len(assign(seats, with_them)) > len(assign(seats, signers))

        assert would_help(seats, signers, groups) is helps
        names = open_to(seats, signers)
        assert helps is (names is None or bool(names & groups))

    @given(required=st.integers(1, 3), needs=NEEDS, signers=SIGNERS)
    def test_is_met_exactly_when_nobody_is_named_as_missing(self, required, needs, signers):
        seats = seats_of(people_of(required, needs), needs)

        assert (words(seats, signers, TITLES) == "") is (len(assign(seats, signers)) == len(seats))
