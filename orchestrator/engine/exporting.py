"""Our own parts of traces out to a sink, after the fact and beside everything else: no execution waits for it, or knows of it.

In a thread of the worker, not in its sweep: a sink that hangs must not delay a lease. One host sends at a time. At least
once: the place in the trail is moved after the sink has taken everything before it. What it turns down for good is set aside,
in the same transaction, so that it holds up nothing behind it and can be sent again.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import Error, connection, transaction
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from audit import events
from audit.actors import system
from audit.away import told
from audit.ids import new_id
from audit.lifecycle import run
from orchestrator.models import TraceExport, TraceSetAside
from orchestrator.models.trace_export import START
from orchestrator.telemetry import names
from orchestrator.telemetry.ended import STEP, Ended, closed, ended
from orchestrator.telemetry.outgoing import Wanted, span_of
from orchestrator.telemetry.sink import Later, Refused, Sink

logger = logging.getLogger(__name__)
BATCH = 512
IDLE_SECONDS = 2.0
# Longer than a sink is waited for.
HELD_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 60.0
# The most a sink is given that asks for time.
LONGEST_ASKED_SECONDS = 600
TRACES, STREAM = system("traces"), "traces:out"

_BEGIN = "INSERT INTO orchestrator_traceexport (id, written_in, last_id) VALUES (1, %s, %s) ON CONFLICT (id) DO NOTHING"
_TAKE = """
UPDATE orchestrator_traceexport SET holder = %(me)s, held_until = clock_timestamp() + make_interval(secs => %(held)s)
WHERE (holder = %(me)s OR holder IS NULL OR held_until <= clock_timestamp()) AND next_try_at <= clock_timestamp()
RETURNING written_in, last_id
"""
_MOVE = """
UPDATE orchestrator_traceexport SET written_in = %(to)s, last_id = %(last)s, sent = sent + %(sent)s, failures = 0,
  caught_up_at = GREATEST(caught_up_at, %(at)s) WHERE holder = %(me)s RETURNING 1
"""
_FAIL = """
UPDATE orchestrator_traceexport SET failures = failures + 1, next_try_at = clock_timestamp()
  + make_interval(secs => GREATEST(LEAST(power(2, LEAST(failures, 16)), %(most)s), %(asked)s)) WHERE holder = %(me)s
"""

Send = Callable[[Sequence[ReadableSpan]], SpanExportResult | Refused | Later]


class Exporter:
    """One per worker. `send` gives spans to the sink, and says whether it took them, or never will."""

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
        spans = self._spans(parts)
        answer = self._send(spans) if spans else SpanExportResult.SUCCESS
        if answer is SpanExportResult.FAILURE or isinstance(answer, Later):
            asked = min(answer.seconds, LONGEST_ASKED_SECONDS) if isinstance(answer, Later) else 0
            run(_FAIL, {"me": self._me, "most": LONGEST_PAUSE_SECONDS, "asked": asked})
            return False
        if len(parts) == BATCH:
            to = {"to": parts[-1].written_in, "last": parts[-1].id, "at": parts[-1].at}
        else:
            to = {"to": until, "last": START, "at": now if until == horizon else None}
        aside = None
        if isinstance(answer, Refused):
            aside = TraceSetAside(
                written_in=since, last_id=last, until=until, parts=len(parts), spans=len(spans), status=answer.status
            )
        self._move(to, sent=0 if aside else len(spans), aside=aside)
        return len(parts) == BATCH or until < horizon

    def resend(self, aside: TraceSetAside) -> bool:
        """Send what was set aside once more. Whether the sink took it; then it is set aside no longer."""
        spans = self._spans(ended(aside.written_in, aside.last_id, aside.until, aside.parts))
        if self._send(spans) is not SpanExportResult.SUCCESS:
            return False
        with transaction.atomic():
            if TraceSetAside.objects.filter(pk=aside.pk).delete()[0]:
                _record("traces.resent", aside)
        return True

    def _spans(self, parts: Iterable[Ended]) -> list[ReadableSpan]:
        found = (span_of(part, self._resource, self._wanted) for part in parts)
        return [span for span in found if span is not None]

    def _take(self) -> tuple[int, UUID] | None:
        """The place it goes on from; None while another host sends, or after a failure until its time has come."""
        asked = {"me": self._me, "held": HELD_SECONDS}
        rows = run(_TAKE, asked)
        if not rows and not TraceExport.objects.exists():
            # It begins with what ends from now on.
            run(_BEGIN, [closed()[0], START])
            rows = run(_TAKE, asked)
        return rows[0] if rows else None

    @transaction.atomic
    def _move(self, to: dict[str, Any], *, sent: int, aside: TraceSetAside | None) -> None:
        """Behind this batch, and keep it if it was turned down; nothing where another host has taken over meanwhile."""
        if run(_MOVE, {**to, "sent": sent, "me": self._me}) and aside is not None:
            aside.save(force_insert=True)
            _record("traces.set_aside", aside)


def _record(name: str, aside: TraceSetAside) -> None:
    events.record(
        name, by=TRACES, stream=STREAM, object_id=aside.pk, data={"spans": aside.spans, "status": aside.status}
    )  # fmt: skip


def exporter() -> Exporter:
    """To the sink that the environment names."""
    wanted = Wanted(content=settings.TRACE_EXPORT_CONTENT, openinference=settings.TRACE_EXPORT_OPENINFERENCE)
    return Exporter(Sink().send, wanted)


class TraceLoop(threading.Thread):
    """Rounds until it is told to stop."""

    def __init__(self) -> None:
        super().__init__(name="traces", daemon=True)
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        one = exporter()
        while not self._stopping.is_set():
            if not self._round(one):
                self._stopping.wait(IDLE_SECONDS)
        connection.close()

    def _round(self, one: Exporter) -> bool:
        try:
            return one.one_round()
        except Error as error:
            logger.warning("%s; trying again", told(error))
            connection.close()
        except Exception:
            logger.exception("traces: one round failed")
        return False
