"""Alerts in a real browser: found on the first page, read, handed on and acknowledged, light and dark."""

import pytest

from orchestrator.engine.alerts.alerting import judge_all
from tests import make

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def alerts(unit, people):
    letter = make.letter(by=people)
    make.events.record("alert.timeout", by=make.MAKER, stream=letter.step.stream, object_id=letter.step_id, unit_id=unit.pk,
                       why="The ERP did not answer within 30 s", data={"step": letter.step.key})  # fmt: skip
    judge_all()
    return make.alert(of=unit)


class TestAnOperator:
    def test_finds_one_on_the_first_page_and_acknowledges_it(self, alerts, opened, tmp_path):
        person = opened("ada")
        page = person.page
        page.goto("/")
        assert person.axe() == []
        person.pictures(tmp_path / "work", full_page=True)
        page.locator("#nav").get_by_role("link", name="Alerts").click()
        assert page.locator("[data-row]").count() == 2
        assert person.axe() == []
        person.pictures(tmp_path / "alerts", full_page=True)

        page.get_by_role("link", name="Timeout: closing").click()
        assert page.get_by_text("Redrive it.").is_visible()
        page.get_by_label("What do you do about it?").fill("I ask the ERP's team")
        page.get_by_role("button", name="Acknowledge").click()
        page.get_by_text("ada knows of it").wait_for()
        assert person.axe() == []
        person.pictures(tmp_path / "alert", full_page=True)

        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert person.axe() == []

        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto("/kpis/")
        assert page.get_by_text("closing / post: 1 of 1 failures").is_visible()
        assert person.axe() == []
        person.pictures(tmp_path / "levels", full_page=True)
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
