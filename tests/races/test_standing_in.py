"""Two tabs, one form: one delegation, one absence."""

from datetime import timedelta

import pytest

from approvals.models import Absence, Delegation
from approvals.operations import delegations
from audit.lifecycle import database_now
from tests import make, worlds
from tests.races.racing import race, races

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(300)]


def test_the_same_form_from_two_tabs_is_one():
    world = worlds.world()
    dora = make.actor(make.person("dora", "view", of=world.unit))
    for number in races(40):
        starts = database_now() + timedelta(days=number * 2)
        ends = starts + timedelta(days=1)

        def lend(starts=starts, ends=ends):
            delegations.delegate(unit_id=world.unit.pk, to=dora.user_id, starts_at=starts, ends_at=ends, by=world.grace)

        def leave(starts=starts, ends=ends):
            delegations.go_away(away_from=starts, away_until=ends, stand_in=dora.user_id, by=world.grace)

        assert race(lend, lend) == [None, None]
        assert race(leave, leave) == [None, None]
        assert (Delegation.objects.count(), Absence.objects.count()) == (number + 1, number + 1)
