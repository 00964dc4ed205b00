"""The health page: each figure is made bad by what really happens, and the page says so the next time it is asked."""

import os
import signal
import socket
import threading
import time
from datetime import timedelta

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from approvals.models import Delivery, WebhookEndpoint
from approvals.notifying.deliver import one_round
from approvals.notifying.webhooks import NotTaken
from audit.models import AuditEvent, AuditStream
from orchestrator.engine.claims import claim_due
from orchestrator.engine.sweep import sweep
from orchestrator.health.judging import tiles
from orchestrator.health.pulse import Pulse
from orchestrator.health.readings import read
from orchestrator.models import WorkerHost
from tests import make
from tests.pages.asking import browser_of
from tests.pages.looking import passes, state, tile

pytestmark = pytest.mark.django_db
WEBHOOK = "https://hooks.example.com/holdpoint"


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
        call_command("report_backup", "f\udcfcr den Tresor")  # a name in Latin-1, as the shell hands it over
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
