"""What a load balancer asks: `/healthz` (this process is alive) and `/readyz` (what it needs is there). Before everything else.

They stand in front of every other middleware, because none of it may keep them from answering: no session, no sign-in, no
host name, no redirect to HTTPS. What they say is made of fixed words: no name, address or error text of the installation.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from os import getpid

import psycopg
from django.db import connections
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from psycopg.types.json import Jsonb

from audit import actors, events, fitting
from audit.wires import cut

WITHIN_SECONDS = 1.0
# However often it is asked, the database is asked once in this time by each web process.
FRESH_SECONDS = 1.0
CONNECT_WITHIN_SECONDS = 2  # the least that libpq knows
NOBODY = actors.system("readyz")

Components = dict[str, str]
OK = "ok"
AWAY = "does not answer"
TOO_SLOW = f"no answer within {WITHIN_SECONDS:g} s"
COMPONENTS = ("database", "migrations", "audit")

logger = logging.getLogger(__name__)


class ProbeMiddleware:
    """Answers the two addresses and passes everything else on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._readiness = Readiness(check)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info not in {"/healthz", "/readyz"}:
            return self._get_response(request)
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        return _answer({"process": OK} if request.path_info == "/healthz" else self._readiness.components())


def _answer(components: Components) -> HttpResponse:
    good = set(components.values()) == {OK}
    body = {"status": OK if good else "unavailable", "components": components}
    return JsonResponse(body, status=200 if good else 503, headers={"Cache-Control": "no-store"})


class Readiness:
    """One check at a time per process, in a thread of its own: who asks waits a second for it, and never longer."""

    def __init__(self, check: "Callable[[Line], Components]") -> None:
        self._check = check
        self._line = Line()
        self._turn = threading.Condition()
        self._began: float | None = None
        self._found: tuple[float, Components] | None = None

    def components(self) -> Components:
        """How each component is, as of a second ago at most. A check that hangs is an answer, too."""
        with self._turn:
            if self._found is not None and time.monotonic() - self._found[0] < FRESH_SECONDS:
                return self._found[1]
            if self._began is None:
                self._start()
            asked = self._began
            until = (asked or time.monotonic()) + WITHIN_SECONDS
            while self._began == asked and (left := until - time.monotonic()) > 0:
                self._turn.wait(left)
            if self._began != asked and self._found is not None:
                return self._found[1]
        self._line.cut()
        return _all(TOO_SLOW)

    def _start(self) -> None:
        self._began = time.monotonic()
        threading.Thread(target=self._run, name="readyz", daemon=True).start()

    def _run(self) -> None:
        # A kept connection may have died while nobody asked: only a new one that fails says something of the database.
        tries = 2 if self._line.is_open else 1
        found = _all(AWAY)
        while tries and found == _all(AWAY):
            tries, found = tries - 1, self._once()
        with self._turn:
            self._found, self._began = (time.monotonic(), found), None
            self._turn.notify_all()

    def _once(self) -> Components:
        try:
            return self._check(self._line)
        except psycopg.Error:
            self._line.drop()
            return _all(AWAY)
        except Exception:
            logger.exception("readyz: the check itself failed")
            self._line.drop()
            return _all("the check itself failed")


# What Django hands to psycopg beside the address.
_DJANGOS_OWN = {"context", "cursor_factory", "prepare_threshold"}


class Line:
    """The connection of the check, kept between checks; another thread may cut it when it hangs."""

    def __init__(self) -> None:
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def connection(self) -> psycopg.Connection[tuple[object, ...]]:
        if self._connection is None:
            known = connections["default"].get_connection_params()
            own = {
                "connect_timeout": CONNECT_WITHIN_SECONDS,
                "application_name": "holdpoint readyz",
                "options": f"-c statement_timeout={WITHIN_SECONDS * 1000:.0f}",
            }
            where = {name: value for name, value in known.items() if name not in _DJANGOS_OWN} | own
            self._connection = psycopg.connect(**where, autocommit=True)
        return self._connection

    def drop(self) -> None:
        found, self._connection = self._connection, None
        if found is not None:
            with suppress(psycopg.Error):
                found.close()

    def cut(self) -> None:
        """Whoever reads from it reads its end. Only the socket is touched: libpq's own state belongs to its thread."""
        found = self._connection
        if found is not None:
            with suppress(psycopg.Error):
                cut(found.fileno())


def check(line: Line) -> Components:
    """Ask the database for everything this site cannot be without. Raises psycopg's error when it does not answer."""
    found = dict.fromkeys(COMPONENTS, OK)
    began = time.monotonic()
    connection = line.connection()
    connection.execute("SELECT 1")
    found["migrations"] = fitting.misfit(lambda sql, values: connection.execute(sql, values).fetchall()) or OK
    try:
        _append_and_undo(connection)
    except psycopg.OperationalError:
        if connection.closed:
            raise
        found["audit"] = "cannot be written"
    except psycopg.Error:
        found["audit"] = "cannot be written"
    return found if time.monotonic() - began <= WITHIN_SECONDS else _all(TOO_SLOW)


def _append_and_undo(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """A real event on its way into a real chain, rolled back: privileges, disk, standby and read-only all show.

    The stream is this process's own, so that no two checks wait for each other.
    """
    fact = events.fact("readyz.asked", by=NOBODY)
    with connection.transaction(force_rollback=True):
        connection.execute("SELECT audit_append(%s, %s)", [f"readyz:{getpid()}", Jsonb([fact])])


def _all(word: str) -> Components:
    """Nothing is known of what stands behind a database that does not answer."""
    return {"database": word, **dict.fromkeys(COMPONENTS[1:], "unknown")}
