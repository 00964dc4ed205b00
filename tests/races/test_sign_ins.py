"""Many at the door at the same instant: every wrong try is counted, and nobody waits for somebody who waits for them."""

from itertools import count

import pytest

from approvals.authentication import sign_ins
from approvals.authentication.guessing import IN_A_ROW
from approvals.authentication.sign_ins import Origin, TooManyTries
from approvals.models import SignInTries
from tests.races.racing import race, races, unexpected

RACES = 60
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


def trying(origin, looked=None):
    """With a wrong password."""
    return lambda: sign_ins.judge(origin, lambda: looked.append(1) if looked is not None else None)


class TestTriesAtTheSameInstant:
    def test_are_all_counted_and_only_so_many_looked_at(self):
        for number in races(RACES):
            looked = []
            origin = Origin(f"grace{number}", f"203.0.113.{number}")

            outcomes = race(*(trying(origin, looked) for _ in range(IN_A_ROW + 2)))

            assert unexpected(outcomes) == []
            assert sum(isinstance(outcome, TooManyTries) for outcome in outcomes) == 2
            assert len(looked) == IN_A_ROW
            assert {row.wrong for row in SignInTries.objects.filter(key__in=origin.keys.values())} == {IN_A_ROW}

    def test_of_many_names_from_many_addresses_hinder_nobody(self):
        numbers = count()
        for _ in races(RACES):
            fresh = next(numbers)
            who = [Origin(f"{name}{fresh}", f"10.0.{fresh}.{at}") for name in ("ann", "bob") for at in (1, 2)]

            outcomes = race(*(trying(origin) for origin in who * 2))

            assert outcomes == [None] * len(outcomes)
