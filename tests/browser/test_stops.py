"""Stopping in a real browser: from an item to the stop and back, the band that arrives by itself, light and dark."""

import pytest

from approvals import stops
from approvals.models import StopScope
from approvals.stops import Target
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)
REASON = "It pays every invoice twice"


class TestAnOperator:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_stops_the_agent_of_an_item_and_lets_it_go_on(self, opened, people, unit, scheme):
        request = make.request()
        ada = opened("ada", color_scheme=scheme)
        ada.page.goto(request.get_absolute_url())
        ada.page.get_by_role("link", name="Stop…").click()
        assert ada.page.get_by_label("An agent", exact=True).is_checked()
        assert ada.axe() == []

        ada.page.get_by_label("Reason").fill(REASON)
        ada.page.get_by_role("button", name="Stop it now").click()
        ada.page.get_by_role("heading", name="The agent poster").wait_for()
        assert ada.axe() == []
        ada.page.goto(request.get_absolute_url())
        assert ada.page.get_by_text("Frozen since").is_visible()
        assert ada.page.get_by_role("region", name="Stopped now").is_visible()
        assert ada.axe() == []

        ada.page.get_by_role("region", name="Stopped now").get_by_role("link").first.click()
        ada.page.get_by_label("Why is it safe to go on?").fill("The release was rolled back")
        ada.page.get_by_role("button", name="Lift the stop").click()
        ada.page.get_by_text("The stop is lifted.").wait_for()
        assert ada.page.get_by_role("region", name="Stopped now").count() == 0


class TestEverybodyElse:
    def test_sees_the_band_arrive_on_the_page_they_are_on(self, opened, people, unit):
        grace = opened("grace")
        grace.page.goto("/help/")
        target = Target(scope=StopScope.UNIT, unit_id=unit.pk)
        stops.engage(target=target, by=make.actor(people), reason=REASON)

        grace.page.get_by_role("region", name="Stopped now").wait_for(timeout=30_000)
        assert grace.page.get_by_text(REASON).is_visible()
