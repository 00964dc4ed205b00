"""The trace sink: takes a batch, turns it down for good, or is in no state to say. Whoever sends decides what follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

# Answers in the four hundreds that say nothing about the batch: who we are, where we knock, that it takes a while, that we wait.
NOT_ABOUT_IT = frozenset({401, 403, 404, 407, 408, 429})


@dataclass(frozen=True, slots=True)
class Refused:
    """The same again would be turned down again."""

    status: int


class Sink:
    """OpenTelemetry's exporter says no more than that it failed; why, it heard over this session."""

    def __init__(self, endpoint: str | None = None, **options: Any) -> None:
        session = requests.Session()
        session.hooks["response"].append(self._heard)
        self._exporter = OTLPSpanExporter(endpoint, session=session, **options)
        self._status = 0

    def send(self, spans: Sequence[ReadableSpan]) -> SpanExportResult | Refused:
        self._status = 0
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS and 400 <= self._status < 500 and self._status not in NOT_ABOUT_IT:
            return Refused(self._status)
        return result

    def _heard(self, response: requests.Response, **_: Any) -> None:
        self._status = response.status_code
