"""OTLP spans as values of ours; those that cannot be one are counted by the reason. Pure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from budgets.pricing import Usage
from orchestrator.telemetry import names
from orchestrator.telemetry.kinds import MODEL, kind_of, usage_of
from orchestrator.telemetry.values import bounded, text, value_of

MOST_NAME = 200
MOST_LISTED = 32
LISTED_BYTES = 4_096
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REFUSED = {"deny", "denied", "reject", "rejected"}

BAD_ID, NO_START, ENDS_BEFORE, OWN_PARENT, CIRCLE, TOO_OLD = (
    "bad_id", "no_start", "ends_before_it_starts", "own_parent", "circle", "too_old",
)  # fmt: skip
# What each refusal is called to whoever sent it.
REASONS = {
    BAD_ID: "without a trace id of 16 bytes and a span id of 8",
    NO_START: "without a start time",
    ENDS_BEFORE: "that end before they start",
    OWN_PARENT: "that are their own parent",
    CIRCLE: "whose parents form a circle",
    TOO_OLD: "that ended longer ago than spans are kept here",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """One span as it was sent. Its ids are OpenTelemetry's, in lower-case hex; no parent is ""."""

    trace_id: UUID
    external_id: str
    parent: str
    kind: str
    name: str
    started_at: datetime
    ended_at: datetime | None
    status: str
    attributes: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)
    dropped: int = 0
    # Of a model call that says so.
    usage: Usage | None = None


def read(request: ExportTraceServiceRequest) -> tuple[list[Reported], Counter[str]]:
    """Every span that can be one, in the order sent, and how many cannot, by the reason."""
    found, refused = [], Counter[str]()
    for resource, span in _spans(request):
        reason = _why_not(span)
        if reason:
            refused[reason] += 1
        else:
            found.append(_read(span, resource))
    return found, refused


def _spans(request: ExportTraceServiceRequest) -> Iterator[tuple[Resource, Span]]:
    for group in request.resource_spans:
        for scope in group.scope_spans:
            for span in scope.spans:
                yield group.resource, span


def _why_not(span: Span) -> str:
    if len(span.trace_id) != 16 or len(span.span_id) != 8 or not any(span.trace_id) or not any(span.span_id):
        return BAD_ID
    if len(span.parent_span_id) not in {0, 8}:
        return BAD_ID
    if not span.start_time_unix_nano:
        return NO_START
    if span.end_time_unix_nano and span.end_time_unix_nano < span.start_time_unix_nano:
        return ENDS_BEFORE
    return OWN_PARENT if span.parent_span_id == span.span_id else ""


def _read(span: Span, resource: Resource) -> Reported:
    told = {one.key: value_of(one.value) for one in span.attributes}
    kind = kind_of(told)
    attributes, dropped = bounded(span.attributes)
    for one in resource.attributes:
        if one.key == names.SERVICE_NAME:
            attributes.setdefault(names.SERVICE_NAME, value_of(one.value))
    events = [_event(event) for event in span.events[:MOST_LISTED]]
    links = [_link(link) for link in span.links[:MOST_LISTED]]
    cut = len(span.events) - len(events) + len(span.links) - len(links)
    said = span.dropped_attributes_count + span.dropped_events_count + span.dropped_links_count
    return Reported(
        trace_id=UUID(bytes=span.trace_id),
        external_id=span.span_id.hex(),
        parent=span.parent_span_id.hex() if any(span.parent_span_id) else "",
        kind=kind,
        name=text(span.name, MOST_NAME) or kind,
        started_at=moment(span.start_time_unix_nano),
        ended_at=moment(span.end_time_unix_nano) if span.end_time_unix_nano else None,
        status=_status(span, told),
        attributes=attributes,
        events=events,
        links=links,
        dropped=min(dropped + cut + said, 2**31 - 1),
        usage=usage_of(told) if kind == MODEL else None,
    )


def moment(nanoseconds: int) -> datetime:
    """Any 64 bits of nanoseconds are a year up to 2554."""
    return EPOCH + timedelta(microseconds=nanoseconds // 1000)


def _status(span: Span, told: dict[str, Any]) -> str:
    """A "no" is no error, whatever the reporter's library makes of it."""
    if not span.end_time_unix_nano:
        return "running"
    if str(told.get(names.DECISION_OUTCOME, "")).lower() in REFUSED:
        return "refused"
    return "error" if span.status.code == Status.STATUS_CODE_ERROR else "ok"


def _event(event: Span.Event) -> dict[str, Any]:
    attributes, _ = bounded(event.attributes, LISTED_BYTES)
    return {
        "at": moment(event.time_unix_nano).isoformat(),
        "name": text(event.name, MOST_NAME),
        "attributes": attributes,
    }


def _link(link: Span.Link) -> dict[str, Any]:
    attributes, _ = bounded(link.attributes, LISTED_BYTES)
    return {"trace_id": link.trace_id[:16].hex(), "span_id": link.span_id[:8].hex(), "attributes": attributes}
