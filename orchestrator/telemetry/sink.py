"""The trace sink: takes a batch, turns it down for good, or is in no state to say. Whoever sends decides what follows."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import requests
from google.protobuf.message import DecodeError
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

logger = logging.getLogger(__name__)
# Answers in the four hundreds that say nothing about the batch: who we are, where we knock, that it takes a while, that we wait.
NOT_ABOUT_IT = frozenset({401, 403, 404, 407, 408, 429})
# Of Retry-After; Python makes no number of thousands of digits.
_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Refused:
    """The same again would be turned down again."""

    status: int


@dataclass(frozen=True, slots=True)
class Later:
    """Not now: it asks for so much time."""

    seconds: int


class Sink:
    """OpenTelemetry's exporter says no more than that it failed; why, it heard over this session."""

    def __init__(self, endpoint: str | None = None, **options: Any) -> None:
        session = requests.Session()
        session.hooks["response"].append(self._heard)
        self._exporter = OTLPSpanExporter(endpoint, session=session, **options)
        self._answers: list[requests.Response] = []

    def send(self, spans: Sequence[ReadableSpan]) -> SpanExportResult | Refused | Later:
        self._answers.clear()
        result = self._exporter.export(spans)
        return _meant(self._answers[-1], result) if self._answers else result

    def _heard(self, response: requests.Response, **_: Any) -> None:
        self._answers.append(response)


def _meant(answer: requests.Response, result: SpanExportResult) -> SpanExportResult | Refused | Later:
    """The exporter takes every answer below 400 for a yes; behind a redirect is another address, or a page to sign in at."""
    status, asked = answer.status_code, answer.headers.get("Retry-After", "")
    if 200 <= status < 300:
        if result is SpanExportResult.SUCCESS:
            _say_what_was_left_out(answer.content)
        return result
    if 300 <= status < 400:
        logger.error("the trace sink answered %s, which takes nothing: name the address it is at", status)
    elif status < 500 and status not in NOT_ABOUT_IT:
        return Refused(status)
    return Later(int(asked)) if _SECONDS.fullmatch(asked) else SpanExportResult.FAILURE


def _say_what_was_left_out(content: bytes) -> None:
    """Sending it again is what the protocol forbids: only somebody who reads the log can see to it."""
    try:
        rejected = ExportTraceServiceResponse.FromString(content).partial_success.rejected_spans
    except DecodeError:
        return
    if rejected:
        logger.warning("the trace sink took a batch without %d of its spans; its own log says why", rejected)
