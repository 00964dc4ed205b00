"""The health page in a real browser: light, dark and narrow, and how it follows a worker that falls silent by itself."""

import pytest
from django.db import connection

from orchestrator.health import samples
from orchestrator.health.pulse import Pulse
from tests import make

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def passes(seconds, table, column):
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} = {column} - make_interval(secs => %s)", [seconds])


@pytest.fixture
def busy(unit, people):
    """A worker, a queue that waited for it, and ten minutes of history."""
    pulse = Pulse()
    pulse.swept(0.01)
    pulse.beat(cluster="here:1:abc")
    make.execution("queued", by=people)
    passes(25, "orchestrator_step", "due_at")
    for _ in range(12):
        samples.keep()
        passes(15, "orchestrator_healthsample", "at")
    pulse.beat(cluster="here:1:abc")
    return pulse


class TestAnOperator:
    def test_reads_every_figure_in_words_and_on_a_narrow_screen(self, busy, opened, tmp_path):
        person = opened("ada")
        person.page.goto("/health/")
        assert person.page.locator("#tile-queue_age").get_by_text("Degraded", exact=True).is_visible()
        assert person.page.locator("#tile-backup").get_by_text("Unknown", exact=True).is_visible()
        assert person.axe() == []
        person.pictures(tmp_path / "health", full_page=True)

        person.page.set_viewport_size({"width": 390, "height": 800})
        assert person.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        person.pictures(tmp_path / "health-390")
        assert person.axe() == []

        person.page.locator("#tile-backup").get_by_role("link", name="What to do").click()
        assert person.page.get_by_text("report_backup", exact=False).last.is_visible()

    def test_sees_a_worker_fall_silent_without_a_reload(self, busy, opened, settings):
        settings.HEALTH_LIMITS = settings.HEALTH_LIMITS | {"workers": (300, 600)}
        page = opened("ada").page
        page.goto("/health/")
        assert page.locator("#tile-workers[data-state=good]").is_visible()

        passes(700, "orchestrator_workerhost", "beat_at")

        page.wait_for_selector("#tile-workers[data-state=down]", timeout=30_000)
