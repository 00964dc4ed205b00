"""Who sees which figures of the health page, how it follows, and the lines of the last ten minutes."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orchestrator.health import samples
from orchestrator.models import HealthSample, WorkerHost
from tests import make
from tests.pages.asking import browser_of
from tests.pages.looking import keys, passes, state, tile

pytestmark = pytest.mark.django_db
WEBHOOK = "https://hooks.example.com/holdpoint"


class TestWhoSeesIt:
    MACHINE = ("workers", "clusters", "sweep", "notices", "webhooks", "database", "connections", "transaction", "clock",
               "audit_chain", "backup")  # fmt: skip

    def test_operators_and_administrators_see_the_machine(self, as_ada, unit):
        from tests.pages.test_admin import administrator

        assert set(self.MACHINE) < set(keys(as_ada))
        assert set(self.MACHINE) < set(keys(administrator("ann", unit)))

    def test_everybody_else_sees_figures_of_their_units_and_that_others_are_withheld(self, as_grace, as_vera):
        for browser in (as_grace, as_vera):
            assert keys(browser) == ["queue_age", "leases", "approvals", "dead_letters"]
            assert "withheld" in browser.get("/health/").content.decode()

    def test_figures_of_other_units_are_not_told(self, as_grace, unit):
        elsewhere = make.unit("elsewhere", "Elsewhere")
        stranger = browser_of(make.person("hal", "view", of=elsewhere))
        make.request()
        make.execution("queued")
        passes(90, "orchestrator_step", "due_at")

        assert (state(as_grace, "queue_age"), state(stranger, "queue_age")) == ("down", "good")
        assert "1 waiting" in tile(as_grace, "approvals")[1]
        assert "none waits" in tile(stranger, "approvals")[1]

    def test_an_operator_sees_that_the_machine_does_not_serve_others(self, unit):
        other = browser_of(make.person("otto", "view", "operate", of=make.unit("elsewhere", "Elsewhere")))
        make.execution("queued")
        passes(90, "orchestrator_step", "due_at")

        assert state(other, "queue_age") == "down"
        assert state(other, "approvals") == "good"

    def test_an_administrator_without_a_unit_is_not_told_that_all_is_well(self, unit):
        lone = make.person("lone", staff=True)
        lone.user_permissions.add(Permission.objects.get(codename="change_approvalpolicy"))

        assert state(browser_of(lone), "approvals") == "unknown"
        assert state(browser_of(lone), "queue_age") == "good"

    def test_somebody_without_any_role_is_refused_and_not_offered_it(self, unit):
        nobody = browser_of(make.person("noel"))

        assert nobody.get("/health/").status_code == 403
        assert 'href="/health/"' not in nobody.get("/").content.decode()

    def test_nobody_sees_it_without_signing_in(self, client, db):
        assert client.get("/health/")["Location"].startswith("/login/")


class TestLive:
    def poll(self, browser, version):
        return browser.get("/health/", headers={"HX-Request": "true", "X-Live": "1", "If-None-Match": f'"{version}"'})

    def version(self, browser):
        page = browser.get("/health/").content.decode()
        return re.search(r'id="health".*?data-live-version="(\w+)"', page)[1]

    def test_says_nothing_while_nothing_changed(self, as_ada, worker):
        def answer():
            held = self.version(as_ada)
            worker.beat(cluster="here:1:abc")
            return self.poll(as_ada, held).status_code

        # How fast the database answered is a figure, too, and on a busy machine another one each time.
        assert 204 in (answer() for _ in range(20))

    def test_says_it_when_something_did(self, as_ada, worker):
        held = self.version(as_ada)
        passes(60, "orchestrator_workerhost", "beat_at")

        answer = self.poll(as_ada, held)

        assert answer.status_code == 200
        assert b"<html" not in answer.content

    def test_costs_the_same_however_much_there_is(self, as_ada, worker):
        def cost():
            as_ada.get("/health/")
            with CaptureQueriesContext(connection) as asked:
                as_ada.get("/health/")
            return len(asked)

        few = cost()
        for number in range(5):
            make.request()
            make.dead_letter()
            WorkerHost.objects.create(host=f"h{number}", pid=1, version="0", hands=1)

        assert cost() == few <= 15


class TestSamples:
    def test_are_taken_every_fifteen_seconds_by_whoever_is_first(self, worker):
        assert [samples.keep(), samples.keep()] == [True, False]
        passes(15, "orchestrator_healthsample", "at")

        assert samples.keep()

    def test_draw_the_line_of_the_units_one_sees_with_gaps_where_nobody_measured(self, as_grace, unit):
        make.execution("queued")
        passes(30, "orchestrator_step", "due_at")
        samples.keep()
        passes(150, "orchestrator_healthsample", "at")
        samples.keep()
        lately = samples.lately()

        mine = samples.line(lately, "queue_age", frozenset({unit.pk}))
        others = samples.line(lately, "queue_age", frozenset({make.unit("elsewhere").pk}))

        assert [place for place, value in enumerate(mine) if value is not None] == [29, 39]
        assert mine[39] >= 30
        assert others[39] == 0
        assert "38 of 40 moments unknown" in as_grace.get("/health/").content.decode()

    def test_are_kept_for_a_day(self, worker):
        samples.keep()
        passes(25 * 3600, "orchestrator_healthsample", "at")
        passes(25 * 3600, "orchestrator_workerhost", "beat_at")
        samples.keep()

        assert HealthSample.objects.count() == 1
        assert not WorkerHost.objects.exists()
