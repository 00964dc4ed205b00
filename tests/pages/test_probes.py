"""/healthz and /readyz: they answer in time, with fixed words, also while the database is stopped, gone or read-only."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psutil
import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory

from config.probes import Line, ProbeMiddleware, Readiness, check
from tests.worlds import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def site():
    """A web process of its own: nothing of an earlier answer is remembered."""
    return ProbeMiddleware(lambda request: HttpResponse("the site"))


def ask(site, path="/readyz", method="GET", **more):
    began = time.monotonic()
    answer = site(RequestFactory().generic(method, path, **more))
    return answer.status_code, json.loads(answer.content or "{}"), time.monotonic() - began


@contextmanager
def stopped(server):
    """Every process of PostgreSQL stands still: connections are accepted by the kernel, and nobody answers."""
    postmaster = psutil.Process(int((server.data / "postmaster.pid").read_text().split()[0]))
    family = [postmaster, *postmaster.children(recursive=True)]
    for process in family:
        process.suspend()
    try:
        yield
    finally:
        for process in family:
            process.resume()


def is_ready(site):
    return ask(site)[0] == 200


class TestHealthz:
    def test_says_that_the_process_is_alive_and_touches_nothing(self, site, django_assert_num_queries):
        with django_assert_num_queries(0):
            status, body, _ = ask(site, "/healthz")

        assert (status, body) == (200, {"status": "ok", "components": {"process": "ok"}})

    def test_answers_while_the_database_stands_still(self, site, postgres_server):
        with stopped(postgres_server):
            status, _, took = ask(site, "/healthz")

        assert (status, took < 0.5) == (200, True)

    def test_needs_no_host_name_no_https_and_no_session(self, settings):
        settings.SECURE_SSL_REDIRECT = True
        client = Client(headers={"Host": "10.1.2.3"})
        client.cookies["sessionid"] = "somebody"

        answers = [client.get(path) for path in ("/healthz", "/readyz")]

        assert [answer.status_code for answer in answers] == [200, 200]
        assert {answer["Cache-Control"] for answer in answers} == {"no-store"}

    def test_passes_everything_else_on(self, site):
        assert site(RequestFactory().get("/healthz/more")).content == b"the site"

    @pytest.mark.parametrize("path", ["/healthz", "/readyz"])
    def test_is_read_and_nothing_else(self, site, path):
        assert site(RequestFactory().post(path)).status_code == 405


class TestReadyz:
    def test_names_each_component(self, site):
        status, body, _ = ask(site)

        assert (status, body["components"]) == (200, {"database": "ok", "migrations": "ok", "audit": "ok"})

    def test_leaves_nothing_in_the_trail(self, site):
        assert is_ready(site)

        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM audit_auditstream WHERE key LIKE 'readyz%'")
            assert cursor.fetchone()[0] == 0

    def test_says_so_within_bounds_while_the_database_stands_still_and_recovers(self, site, postgres_server):
        assert is_ready(site)
        time.sleep(1.1)  # what was found is no longer fresh
        with stopped(postgres_server):
            answers = [ask(site) for _ in range(4)]

        assert {status for status, _, _ in answers} == {503}
        assert max(took for _, _, took in answers) < 1.5
        assert answers[-1][1]["components"] == {
            "database": "no answer within 1 s", "migrations": "unknown", "audit": "unknown",
        }  # fmt: skip
        wait_until(lambda: is_ready(site), seconds=10)

    def test_is_ready_at_once_after_its_kept_connection_was_ended(self, site):
        assert is_ready(site)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%readyz'"
            )
        time.sleep(1.1)

        assert is_ready(site)

    def test_says_so_when_the_database_is_gone_and_recovers(self, site, postgres_server):
        assert is_ready(site)
        time.sleep(1.1)
        connection.close()
        postgres_server.stop("immediate")
        try:
            status, body, took = ask(site)
        finally:
            postgres_server.ensure_running()

        assert (status, body["components"]["database"]) == (503, "does not answer")
        assert took < 1.5
        wait_until(lambda: is_ready(site), seconds=10)

    def test_is_not_ready_for_code_whose_migrations_are_not_applied(self, site):
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE name = '0017_health' RETURNING app, name")
            app, name = cursor.fetchone()
        try:
            status, body, _ = ask(site)
        finally:
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, now())", [app, name])

        assert (status, body["components"]["migrations"]) == (503, "1 not applied")

    def test_is_not_ready_where_the_owner_migrated_and_granted_nothing(self, site):
        with connection.cursor() as cursor:
            cursor.execute("REVOKE ALL ON approvals_signintries, approvals_decision FROM CURRENT_USER")
        try:
            status, body, _ = ask(site)
        finally:
            with connection.cursor() as cursor:
                cursor.execute("GRANT ALL ON approvals_signintries, approvals_decision TO CURRENT_USER")

        assert (status, body["components"]["migrations"]) == (503, "2 tables closed to us")

    def test_is_ready_for_a_database_that_is_ahead_of_its_code(self, site):
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('audit', '9999_later', now())")
        try:
            assert is_ready(site)
        finally:
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM django_migrations WHERE name = '9999_later'")

    def test_is_not_ready_while_the_trail_cannot_be_written(self, site):
        with connection.cursor() as cursor:
            cursor.execute("ALTER FUNCTION audit_append(text, jsonb) RENAME TO audit_append_away")
        try:
            status, body, _ = ask(site)
        finally:
            with connection.cursor() as cursor:
                cursor.execute("ALTER FUNCTION audit_append_away(text, jsonb) RENAME TO audit_append")

        assert (status, body["components"]) == (
            503,
            {"database": "ok", "migrations": "ok", "audit": "cannot be written"},
        )

    def test_asks_the_database_once_however_many_ask_at_the_same_time(self):
        asked = []
        slowly = threading.Event()

        def count_and_check(line: Line):
            asked.append(1)
            slowly.wait(0.2)
            return check(line)

        readiness = Readiness(count_and_check)
        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(lambda _: readiness.components(), range(200)))

        assert {tuple(answer.values()) for answer in answers} == {("ok", "ok", "ok")}
        assert len(asked) == 1

    def test_says_nothing_of_the_installation(self, site, postgres_server):
        assert is_ready(site)
        time.sleep(1.1)
        with stopped(postgres_server):
            words = json.dumps(ask(site)[1])

        secrets = [
            str(connection.settings_dict[name])
            for name in ("HOST", "NAME", "PASSWORD")
            if connection.settings_dict[name]
        ]
        assert secrets
        assert not [secret for secret in secrets if secret in words]
