"""Stopping in a real browser: from an item to the stop and back, the band that arrives by itself, light and dark."""

import pytest

from approvals.models import StopScope
from approvals.operations import stops
from approvals.operations.stops import Target
from tests import make
from tests.authenticator import app_of

pytestmark = pytest.mark.django_db(transaction=True)
REASON = "It pays every invoice twice"


class TestAnOperator:
    def test_stops_the_agent_of_an_item_and_lets_it_go_on(self, opened, people, unit):
        request = make.request()
        ada = opened("ada")
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
        ada.page.locator("#messages").get_by_text("The stop is lifted.").wait_for()
        assert ada.page.get_by_role("region", name="Stopped now").count() == 0


@pytest.mark.slow
class TestEverybodyElse:
    def test_sees_the_band_arrive_on_the_page_they_are_on(self, opened, people, unit):
        grace = opened("grace")
        grace.page.goto("/help/")
        target = Target(scope=StopScope.UNIT, unit_id=unit.pk)
        stops.engage(target=target, by=make.actor(people), reason=REASON)

        grace.page.get_by_role("region", name="Stopped now").wait_for(timeout=30_000)
        assert grace.page.get_by_text(REASON).is_visible()


@pytest.mark.slow
class TestAnEmergency:
    def test_is_signed_alone_and_looked_at_by_another(self, opened, people, unit):
        make.policy()
        request = make.request("2000.00")
        grace = opened("grace")
        grace.page.goto(request.get_absolute_url())
        grace.page.get_by_text("Break glass: sign alone").click()
        for box in grace.page.locator("#glass-form input[name=viewed]").all():
            box.check()
        grace.page.fill("#glass_critical", "2,000.00")
        grace.page.get_by_label("Why can it not wait").fill("The bank closes in ten minutes, nobody answers")
        grace.page.fill("#glass_code", app_of("grace").code())
        assert grace.axe() == []
        grace.page.get_by_role("button", name="Sign alone").click()
        grace.page.locator("#messages").get_by_text("You signed alone.").wait_for()
        assert grace.axe() == []

        linus = opened("linus")
        linus.page.goto("/")
        linus.page.get_by_role("link", name="1 emergency to look at afterwards").click()
        assert linus.axe() == []
        linus.page.get_by_role("link", name="Post 2000.00 EUR").click()
        assert linus.axe() == []
        linus.page.get_by_label("It was justified").check()
        linus.page.get_by_label("What did you look at?").fill("I called the bank myself")
        linus.page.get_by_role("button", name="Record my look").click()
        linus.page.locator("#messages").get_by_text("Your look at it is recorded.").wait_for()
        assert linus.page.get_by_text("Justified").is_visible()


@pytest.mark.slow
class TestNotifications:
    def test_are_chosen_on_a_page(self, opened, people, unit):
        grace = opened("grace")
        grace.page.goto("/preferences/")
        grace.page.get_by_role("link", name="Notifications").click()
        assert grace.axe() == []
        grace.page.get_by_label("Together, once an hour").check()
        grace.page.get_by_role("button", name="Save").click()
        grace.page.locator("#messages").get_by_text("How you are told is saved.").wait_for()
