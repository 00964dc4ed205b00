"""Our own parts of traces out to a sink, after the fact and beside everything else: no execution waits for it, or knows of it.

In a thread of the worker, not in its sweep: a sink that hangs must not delay a lease. One host sends at a time. At least
once: the place in the trail is moved after the sink has taken everything before it.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import Error, connection
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from audit.ids import new_id
from audit.lifecycle import run
from orchestrator.models import TraceExport
from orchestrator.telemetry import names
from orchestrator.telemetry.ended import STEP, closed, ended
from orchestrator.telemetry.outgoing import Wanted, span_of

logger = logging.getLogger(__name__)
BATCH = 512
IDLE_SECONDS = 2.0
# Longer than a sink is waited for.
HELD_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 60.0
START = UUID(int=0)

_BEGIN = "INSERT INTO orchestrator_traceexport (id, written_in, last_id) VALUES (1, %s, %s) ON CONFLICT (id) DO NOTHING"
_TAKE = """
UPDATE orchestrator_traceexport SET holder = %(me)s, held_until = clock_timestamp() + make_interval(secs => %(held)s)
WHERE (holder = %(me)s OR holder IS NULL OR held_until <= clock_timestamp()) AND next_try_at <= clock_timestamp()
RETURNING written_in, last_id
"""
_MOVE = """
UPDATE orchestrator_traceexport SET written_in = %(to)s, last_id = %(last)s, sent = sent + %(sent)s, failures = 0,
  caught_up_at = GREATEST(caught_up_at, %(at)s) WHERE holder = %(me)s
"""
_FAIL = """
UPDATE orchestrator_traceexport SET failures = failures + 1, next_try_at = clock_timestamp()
  + make_interval(secs => LEAST(power(2, LEAST(failures, 16)), %(most)s)) WHERE holder = %(me)s
"""

Send = Callable[[Sequence[ReadableSpan]], SpanExportResult]


class Exporter:
    """One per worker. `send` gives spans to the sink, and says whether it took them."""

    def __init__(self, send: Send, wanted: Wanted | None = None) -> None:
        self._me = new_id()
        self._send = send
        self._wanted = wanted or Wanted()
        self._resource = Resource.create({names.SERVICE_NAME: "holdpoint", names.SERVICE_VERSION: settings.VERSION})

    def one_round(self) -> bool:
        """Send the next batch. Whether there may be more at once."""
        place = self._take()
        if place is None:
            return False
        since, last = place
        horizon, now = closed()
        until = min(horizon, since + STEP)
        if until <= since:
            return False
        parts = ended(since, last, until, BATCH)
        spans = [span for span in (span_of(part, self._resource, self._wanted) for part in parts) if span is not None]
        if spans and self._send(spans) is not SpanExportResult.SUCCESS:
            run(_FAIL, {"me": self._me, "most": LONGEST_PAUSE_SECONDS})
            return False
        if len(parts) == BATCH:
            self._move(parts[-1].written_in, parts[-1].id, len(spans), parts[-1].at)
        else:
            self._move(until, START, len(spans), now if until == horizon else None)
        return len(parts) == BATCH or until < horizon

    def _take(self) -> tuple[int, UUID] | None:
        """The place it goes on from; None while another host sends, or after a failure until its time has come."""
        asked = {"me": self._me, "held": HELD_SECONDS}
        rows = run(_TAKE, asked)
        if not rows and not TraceExport.objects.exists():
            # It begins with what ends from now on.
            run(_BEGIN, [closed()[0], START])
            rows = run(_TAKE, asked)
        return rows[0] if rows else None

    def _move(self, to: int, last: UUID, sent: int, at: datetime | None) -> None:
        run(_MOVE, {"to": to, "last": last, "sent": sent, "at": at, "me": self._me})


class TraceLoop(threading.Thread):
    """Rounds until it is told to stop."""

    def __init__(self) -> None:
        super().__init__(name="traces", daemon=True)
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        wanted = Wanted(content=settings.TRACE_EXPORT_CONTENT, openinference=settings.TRACE_EXPORT_OPENINFERENCE)
        exporter = Exporter(OTLPSpanExporter().export, wanted)
        while not self._stopping.is_set():
            if not self._round(exporter):
                self._stopping.wait(IDLE_SECONDS)
        connection.close()

    def _round(self, exporter: Exporter) -> bool:
        try:
            return exporter.one_round()
        except Error as error:
            logger.warning("the database is away (%s); trying again", type(error).__name__)
            connection.close()
        except Exception:
            logger.exception("traces: one round failed")
        return False
