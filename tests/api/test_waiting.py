"""`?wait=`: answers when the status changes, within moments, and holds no transaction meanwhile."""

import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from types import SimpleNamespace
from urllib.request import urlopen

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection

from approvals import operations
from approvals.models import ApprovalRequest
from audit.actors import person
from orchestrator.api.waiting import Places
from tests.api.conftest import HttpCaller, cancel_order, make_token
from tests.worlds import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def approve(request_id, user_id):
    request = ApprovalRequest.objects.get(pk=request_id)
    operations.approve(
        request_id=request_id,
        by=person(user_id, "grace"),
        voice=operations.Voice(digest=request.digest, revision=request.revision, reason_code="evidence_checked"),
    )


def waiting(http, action_id, seconds, answers):
    began = time.monotonic()
    body = http.get(f"actions/{action_id}/?wait={seconds}")[1]
    answers.append((body["status"], time.monotonic() - began))


def test_wakes_within_moments_of_the_decision(http, grace):
    action = http.post("actions/", cancel_order())[1]
    answers = []
    waiters = [threading.Thread(target=waiting, args=(http, action["id"], 30, answers)) for _ in range(5)]
    for waiter in waiters:
        waiter.start()
    time.sleep(1)
    assert answers == []

    approve(action["approval"]["id"], grace.pk)
    decided = time.monotonic()
    for waiter in waiters:
        waiter.join()

    assert {status for status, _ in answers} == {"granted"}
    assert time.monotonic() - decided < 1


def test_answers_unchanged_when_the_time_is_up(http):
    action = http.post("actions/", cancel_order())[1]
    answers = []

    waiting(http, action["id"], 1, answers)

    assert answers[0][0] == "held"
    assert 0.9 < answers[0][1] < 3


def test_answers_at_once_what_was_decided_before(http, grace):
    action = http.post("actions/", cancel_order())[1]
    approve(action["approval"]["id"], grace.pk)
    answers = []

    waiting(http, action["id"], 30, answers)

    assert answers[0][0] == "granted"
    assert answers[0][1] < 2


def test_holds_no_transaction(http, grace):
    action = http.post("actions/", cancel_order())[1]
    waiter = threading.Thread(target=waiting, args=(http, action["id"], 30, []))
    waiter.start()
    time.sleep(1)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT query, state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND (state LIKE 'idle in transaction%%' OR xact_start IS NOT NULL)"
        )
        in_transaction = cursor.fetchall()
    approve(action["approval"]["id"], get_user_model().objects.get(username="grace").pk)
    waiter.join()

    assert in_transaction == []


def test_leaves_room_for_the_decision(http, grace, monkeypatch):
    monkeypatch.setattr("orchestrator.api.waiting.places", Places(1))
    action = http.post("actions/", cancel_order())[1]
    first = threading.Thread(target=waiting, args=(http, action["id"], 30, []))
    first.start()
    time.sleep(0.5)
    answers = []

    waiting(http, action["id"], 30, answers)
    approve(action["approval"]["id"], grace.pk)
    first.join()

    assert answers[0][0] == "held"
    assert answers[0][1] < 5


def test_leaves_room_for_another_agent_and_says_when_to_ask_again(http, live_server, grace, monkeypatch):
    monkeypatch.setattr("orchestrator.api.waiting.places", Places(2))
    neighbour = HttpCaller(live_server, make_token("other"))
    mine, theirs = (caller.post("actions/", cancel_order())[1] for caller in (http, neighbour))
    first = threading.Thread(target=waiting, args=(http, mine["id"], 30, []))
    first.start()
    time.sleep(0.5)

    turned_away = http.get(f"actions/{mine['id']}/?wait=30")
    answers = []
    waiting(neighbour, theirs["id"], 1, answers)
    approve(mine["approval"]["id"], grace.pk)
    first.join()

    assert (turned_away[1]["status"], turned_away[2]["Retry-After"]) == ("held", "1")
    assert answers[0][1] > 0.9
    assert "Retry-After" not in http.get(f"actions/{mine['id']}/?wait=1")[2]


def test_gives_every_place_back():
    places, ada, bob = Places(3), ("agent:ada", frozenset()), ("agent:bob", frozenset())

    assert [places.take(who) for who in (ada, ada, bob)] == [True, False, True]
    places.give_back(ada)
    assert [places.take(who) for who in (bob, ada)] == [False, True]


@pytest.fixture
def web(postgres_server, tmp_path):
    """A web server as in production, on the database of the tests."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    dsn = postgres_server.dsn(connection.settings_dict["NAME"])
    own = {"PORT": str(port), "WEB_WORKERS": "1", "DATABASE_URL": dsn, "VAR_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "gunicorn", "--config", "python:config.gunicorn", "config.wsgi"]
    with subprocess.Popen(command, cwd=settings.BASE_DIR, env={**os.environ, **own}) as server:
        yield server, f"http://127.0.0.1:{port}"
        server.kill()


@pytest.mark.slow
def test_answers_before_its_process_ends(api, token, web):
    server, url = web
    action, answers = api.post("actions/", cancel_order())[1], []
    http = HttpCaller(SimpleNamespace(url=url), token)
    wait_until(lambda: answers_at(url), seconds=60)

    waiter = threading.Thread(target=lambda: answers.append(http.get(f"actions/{action['id']}/?wait=30")))
    waiter.start()
    time.sleep(1)
    server.terminate()
    waiter.join(20)

    ((status, body, headers),) = answers
    assert (status, body["status"], headers["Retry-After"]) == (200, "held", "1")
    assert server.wait(20) == 0


def answers_at(url):
    with suppress(OSError), urlopen(f"{url}/healthz", timeout=5) as answer:
        return answer.status == 200
    return False
