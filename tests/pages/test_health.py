"""The health page: each figure is made bad by what really happens, and the page says so the next time it is asked."""

import os
import re
import signal
import socket
import threading
import time
from datetime import timedelta

import psycopg
import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from approvals.models import Delivery, WebhookEndpoint
from approvals.notifying.deliver import one_round
from approvals.notifying.webhooks import NotTaken
from audit.models import AuditEvent, AuditStream
from orchestrator.engine.claims import claim_due
from orchestrator.engine.sweep import sweep
from orchestrator.health import samples
from orchestrator.health.judging import tiles
from orchestrator.health.pulse import Pulse
from orchestrator.health.readings import read
from orchestrator.models import HealthSample, WorkerHost
from tests import make
from tests.pages.asking import browser_of

pytestmark = pytest.mark.django_db
WEBHOOK = "https://hooks.example.com/holdpoint"


def tile(browser, key):
    """State word and text of one tile."""
    page = browser.get("/health/").content.decode()
    text = page.split(f'id="tile-{key}"')[1].split("</li>")[0]
    return re.search(r'data-state="(\w+)"', text)[1], " ".join(re.sub(r"<[^>]*>", " ", text).split())


def state(browser, key):
    return tile(browser, key)[0]


def keys(browser):
    return re.findall(r'id="tile-(\w+)"', browser.get("/health/").content.decode())


def passes(seconds, table, column, **where):
    """Time goes by for rows of a table that no trigger guards the times of."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} = {column} - make_interval(secs => %s)", [seconds])
        return cursor.rowcount


@pytest.fixture
def worker():
    """A worker that has said how it is, in this process."""
    pulse = Pulse()
    pulse.swept(0.01)
    pulse.beat(cluster="here:1:abc")
    return pulse


class TestQueueAge:
    def test_is_the_age_of_the_oldest_due_step_that_nobody_claims(self, as_ada):
        assert state(as_ada, "queue_age") == "good"
        make.execution("queued")
        passes(20, "orchestrator_step", "due_at")
        assert state(as_ada, "queue_age") == "degraded"
        passes(60, "orchestrator_step", "due_at")

        word, text = tile(as_ada, "queue_age")

        assert word == "down"
        assert "1 due and not claimed" in text
        assert "1 min" in text

    def test_is_good_again_once_it_was_claimed(self, as_ada):
        make.execution("queued")
        passes(80, "orchestrator_step", "due_at")
        assert state(as_ada, "queue_age") == "down"

        assert claim_due(limit=1, worker="here")

        assert state(as_ada, "queue_age") == "good"


class TestLeases:
    def test_past_their_time_are_bad_until_the_sweep_gives_them_away(self, as_ada):
        make.execution("running")
        passes(25, "orchestrator_attempt", "lease_expires_at")

        word, text = tile(as_ada, "leases")
        assert word == "degraded"
        assert "1 past their time" in text
        sweep()

        assert state(as_ada, "leases") == "good"


class TestApprovals:
    def test_that_wait_too_long_or_past_their_time_are_degraded(self, as_ada):
        request = make.request()
        assert state(as_ada, "approvals") == "good"
        passes(9 * 3600, "approvals_approvalrequest", "created_at")
        assert state(as_ada, "approvals") == "degraded"
        passes(-9 * 3600, "approvals_approvalrequest", "created_at")
        request.refresh_from_db()
        late = request.decide_by - request.created_at + timedelta(minutes=1)
        passes(late.total_seconds(), "approvals_approvalrequest", "decide_by")

        word, text = tile(as_ada, "approvals")

        assert word == "degraded"
        assert "1 past their time to decide" in text


class TestDeadLetters:
    def test_that_come_in_numbers_are_bad(self, as_ada):
        for _ in range(5):
            make.dead_letter()
        assert state(as_ada, "dead_letters") == "good"
        make.dead_letter()

        word, text = tile(as_ada, "dead_letters")
        assert (word, "6 in ten minutes" in text) == ("degraded", True)
        passes(700, "orchestrator_deadletter", "last_at")
        assert state(as_ada, "dead_letters") == "good"


class TestWorkers:
    def test_that_do_not_exist_are_down_and_leave_the_rest_unknown_or_down(self, as_ada):
        states = {key: state(as_ada, key) for key in ("workers", "sweep", "clusters", "clock")}

        assert states == {"workers": "down", "sweep": "down", "clusters": "unknown", "clock": "unknown"}
        assert "No worker runs" in as_ada.get("/health/").content.decode()

    def test_that_beat_are_good(self, as_ada, worker):
        states = {key: state(as_ada, key) for key in ("workers", "sweep", "clusters", "clock")}

        assert states == dict.fromkeys(states, "good")
        assert "1 of 1" in tile(as_ada, "workers")[1]
        assert f"{socket.gethostname()}, pid {os.getpid()}" in as_ada.get("/health/").content.decode()

    def test_that_are_silent_are_degraded_then_down(self, as_ada, worker):
        passes(8, "orchestrator_workerhost", "beat_at")
        assert state(as_ada, "workers") == "degraded"
        passes(10, "orchestrator_workerhost", "beat_at")

        word, text = tile(as_ada, "workers")

        assert (word, state(as_ada, "clusters"), state(as_ada, "clock")) == ("down", "unknown", "unknown")
        assert "silent for 18 s" in text

    def test_of_which_one_is_silent_are_degraded(self, as_ada, worker):
        passes(100, "orchestrator_workerhost", "beat_at")
        WorkerHost.objects.update(host="elsewhere")
        Pulse().beat(cluster="here:2:abc")

        word, text = tile(as_ada, "workers")

        assert word == "degraded"
        assert "1 of 2" in text
        assert "elsewhere" in text

    def test_that_were_told_to_stop_are_not_missed(self, as_ada, worker):
        other = Pulse()
        other.beat(cluster="here:2:abc")
        worker.end("told to stop")

        assert "1 of 1" in tile(as_ada, "workers")[1]
        other.end("told to stop")
        assert state(as_ada, "workers") == "down"

    def test_that_were_killed_are_forgotten_when_the_next_one_starts_on_their_host(self, worker):
        gone = 2**22 + 7  # above every process number of this kernel
        WorkerHost.objects.update(pid=gone)
        WorkerHost.objects.create(host="elsewhere", pid=gone, version="0", hands=1)

        Pulse().beat(cluster="here:2:abc")

        ended = WorkerHost.objects.filter(pid=gone, ended_at__isnull=False)
        assert [(row.pk, row.ended_why) for row in ended] == [(worker.id, "its process is no more")]

    def test_that_were_thought_gone_are_back_with_their_next_beat(self, as_ada, worker):
        worker.end("a mistake")
        assert state(as_ada, "workers") == "down"

        worker.beat(cluster="here:1:abc")

        assert state(as_ada, "workers") == "good"

    def test_say_what_they_have_in_hand_and_when_they_last_got_on(self, worker):
        make.execution("queued")
        (claimed,) = claim_due(limit=1, worker="here:1:abc")
        make.begin(claimed.fence)
        worker.beat(cluster="here:1:abc")
        row = WorkerHost.objects.get(pk=worker.id)
        assert (row.busy, row.last_progress_at) == (1, None)
        assert row.last_claim_at is not None
        passes(100, "orchestrator_attempt", "lease_expires_at")
        sweep()

        worker.beat(cluster="here:1:abc")

        row.refresh_from_db()
        assert row.busy == 0
        assert row.last_progress_at is not None


class TestSweep:
    def test_that_is_late_is_degraded_then_down_although_the_worker_beats(self, as_ada, worker):
        passes(15, "orchestrator_workerhost", "swept_at")
        assert (state(as_ada, "sweep"), state(as_ada, "workers")) == ("degraded", "good")
        passes(20, "orchestrator_workerhost", "swept_at")
        assert state(as_ada, "sweep") == "down"


class TestClusters:
    def test_that_stand_still_are_frozen_and_a_restart_is_remembered(self, as_ada, worker):
        worker.beat(cluster="here:1:abc", stands_still=True)
        word, text = tile(as_ada, "clusters")
        assert (word, "frozen" in text) == ("down", True)
        worker.restarted("claimed work does not progress")
        worker.beat(cluster="here:1:def")

        word, text = tile(as_ada, "clusters")

        assert word == "degraded"
        assert "claimed work does not progress" in text

    def test_that_are_restarted_again_and_again_are_down(self, as_ada, worker):
        for _ in range(4):
            worker.restarted("the cluster is not running")
        worker.beat(cluster="here:1:def")

        assert state(as_ada, "clusters") == "down"


class TestClock:
    @pytest.mark.parametrize(("skew", "word", "way"), [(600, "down", "ahead of"), (-5, "degraded", "behind")])
    def test_of_a_host_that_is_off_is_shown_and_by_how_much(self, as_ada, skew, word, way):
        Pulse(clock=lambda: time.time() + skew).beat(cluster="here:1:abc")

        found, text = tile(as_ada, "clock")

        assert found == word
        assert way in text

    def test_that_was_read_across_a_slow_answer_says_nothing(self, as_ada):
        readings = iter([1000.0, 1002.0, 1002.0])
        Pulse(clock=lambda: next(readings)).beat(cluster="here:1:abc")

        assert state(as_ada, "clock") == "unknown"


class TestOutboxes:
    @pytest.fixture
    def endpoint(self, unit):
        return WebhookEndpoint.objects.create(name="hook", url=WEBHOOK, salt="s")

    def test_of_which_nobody_takes_any_care_are_late(self, as_ada, grace):
        make.request()
        assert state(as_ada, "notices") == "good"
        passes(90, "approvals_notice", "created_at")
        assert state(as_ada, "notices") == "degraded"
        passes(900, "approvals_notice", "created_at")
        assert state(as_ada, "notices") == "down"

    def test_whose_receiver_takes_nothing_are_late_since_they_were_first_due(self, as_ada, endpoint, monkeypatch):
        from approvals.notifying import webhooks

        def down(*_, **__):
            raise NotTaken("503")

        monkeypatch.setattr(webhooks, "call", down)
        make.request()
        one_round()
        assert Delivery.objects.filter(endpoint=endpoint).get().tries == 1
        assert state(as_ada, "webhooks") == "good"
        for _ in range(3):  # each try is over, and its pause as well
            passes(130, "approvals_delivery", "due_at")
            one_round()

        word, text = tile(as_ada, "webhooks")

        assert word == "degraded"
        assert "tried before" in text


class TestAuditChain:
    def test_that_was_never_verified_is_unknown(self, as_ada):
        assert state(as_ada, "audit_chain") == "unknown"


class TestBackup:
    def test_is_unknown_until_it_is_reported_and_not_good_for_ever(self, as_ada, django_db_blocker):
        assert state(as_ada, "backup") == "unknown"
        call_command("report_backup", "nightly,  1.2 GB")
        word, text = tile(as_ada, "backup")
        assert (word, "nightly, 1.2 GB" in text) == ("good", True)
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER USER")
            cursor.execute("UPDATE audit_auditevent SET at = at - interval '2 days' WHERE event = 'backup.reported'")
            cursor.execute("ALTER TABLE audit_auditevent ENABLE TRIGGER USER")

        assert state(as_ada, "backup") == "degraded"

    @pytest.mark.parametrize("what", ["", "  ", "x" * 201])
    def test_is_reported_in_words_or_refused(self, what):
        with pytest.raises(CommandError, match="1 to 200 characters"):
            call_command("report_backup", what)


class TestUnknown:
    def test_is_what_cannot_be_read_with_the_reason_and_the_rest_is_shown(self, as_ada, worker):
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE approvals_delivery RENAME TO approvals_delivery_away")

        assert state(as_ada, "notices") == "unknown"
        assert "Could not be read" in tile(as_ada, "notices")[1]
        assert state(as_ada, "workers") == "good"

    def test_keeps_the_whole_from_looking_good(self, as_ada, worker):
        heading = as_ada.get("/health/").content.decode().split("<h1>Health</h1>")[1][:300]

        assert "Unknown" in heading
        assert 'data-tone="ok"' not in heading


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
        held = self.version(as_ada)
        worker.beat(cluster="here:1:abc")

        assert self.poll(as_ada, held).status_code == 204

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


class TestAVerifiedTrail:
    pytestmark = pytest.mark.django_db(transaction=True)

    def test_is_good_and_a_broken_one_is_down(self, transactional_db, as_ada):
        make.request()
        call_command("verify_audit")
        assert state(as_ada, "audit_chain") == "good"
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER USER")
            cursor.execute("UPDATE audit_auditevent SET why = 'another' WHERE event = 'approval_request.pending'")
            cursor.execute("ALTER TABLE audit_auditevent ENABLE TRIGGER USER")
        with pytest.raises(CommandError, match="is broken at event"):
            call_command("verify_audit")

        word, text = tile(as_ada, "audit_chain")

        assert word == "down"
        assert "does not follow" in text

    def test_is_verified_as_of_one_moment_while_the_site_goes_on_writing(self, transactional_db, monkeypatch):
        make.request()
        honest = AuditStream.objects.all

        def heads_then_a_sign_in():
            found = list(honest())
            thread = threading.Thread(
                target=lambda: (make.person("late"), browser_of(make.person("late")), connection.close())
            )
            thread.start()
            thread.join()
            return found

        monkeypatch.setattr(AuditStream.objects, "all", heads_then_a_sign_in)
        browser_of(make.person("early"))  # the stream of sign-ins has a head

        call_command("verify_audit")

        assert AuditEvent.objects.filter(event="audit_chain.verified").count() == 1


class TestASlowDatabase:
    pytestmark = pytest.mark.django_db(transaction=True)

    def test_leaves_what_is_locked_unknown_and_shows_the_rest_in_time(
        self, transactional_db, as_ada, worker, postgres_server
    ):
        assert state(as_ada, "approvals") == "good"
        dsn = postgres_server.dsn(connection.settings_dict["NAME"])
        with psycopg.connect(dsn) as other:
            other.execute("LOCK TABLE approvals_delivery IN ACCESS EXCLUSIVE MODE")
            began = time.monotonic()
            page = as_ada.get("/health/").content.decode()
            took = time.monotonic() - began

        assert 'id="tile-notices" data-state="unknown"' in page
        assert "it took longer than 0.3 s" in page
        assert 'id="tile-workers" data-state="good"' in page
        assert took < 4

    def test_is_shown_by_its_latency(self, transactional_db, unit):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
        os.kill(pid, signal.SIGSTOP)
        going_on = threading.Timer(0.4, os.kill, (pid, signal.SIGCONT))
        going_on.start()

        found = read()

        going_on.join()
        made = tiles(found, settings.HEALTH_LIMITS, units=frozenset({unit.pk}), machine=True)
        (database,) = [one for one in made if one.key == "database"]
        assert database.state in {"degraded", "down"}
        assert database.value >= 0.2
