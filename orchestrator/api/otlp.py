"""`/v1/traces`: OTLP over HTTP as any exporter sends it. Answers and errors are in the encoding of the request.

The address, the bodies and the error shape are OTLP's own, so it stands beside the API and not in its contract.
"""

import json
from typing import Any

from django.http import HttpResponse
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from orchestrator.api.auth import TokenAuthentication
from orchestrator.api.base import AlwaysJSON, ApiView, actor_of, is_chunked, machines
from orchestrator.api.parsers import BodyTooLarge
from orchestrator.api.problems import problem_response
from orchestrator.operations import spans
from orchestrator.telemetry import wire
from orchestrator.telemetry.reading import REASONS, read

# Exporters send 512 spans at a time; a body that holds many more is as good as an attack.
MOST_PACKED = 4 * 1_048_576
MOST_UNPACKED = 16 * 1_048_576
MOST_SPANS = 10_000
# google.rpc.Code by HTTP status; anything else is INTERNAL.
CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 409: 10, 411: 3, 413: 8, 415: 3, 422: 3, 429: 8, 503: 14}
INTERNAL = 13


class _AsBytes(AlwaysJSON):
    """The body is read as bytes, by its own limits."""

    def select_parser(self, request: Request, parsers: Any) -> None:
        return None


class Traces(ApiView):
    doors = {"POST": machines("traces:write")}
    schema = None  # type: ignore[assignment]
    authentication_classes = (TokenAuthentication,)
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = _AsBytes
    reads_chunks = True

    def post(self, request: Request) -> HttpResponse:
        kind = _media_type(request)
        if kind not in {wire.PROTOBUF, wire.JSON}:
            raise UnsupportedMediaType(kind or "nothing", f"Send {wire.PROTOBUF} or {wire.JSON}.")
        raw = _body(request)
        reported, refused = read(_decoded(raw, request, kind))
        if len(reported) + refused.total() > MOST_SPANS:
            raise BodyTooLarge(f"One request holds {MOST_SPANS:,} spans at most.")
        taken = spans.take(reported=reported, refused=refused, size=len(raw), by=actor_of(request))
        return _answer(_said(taken), request, 200)

    def get_exception_handler(self) -> Any:
        return _status_response


def _body(request: Request) -> bytes:
    """Exporters in Go send what they compress in chunks, without its length: Django takes that for no body at all."""
    stream = request.META["wsgi.input"] if is_chunked(request) else request.stream
    try:
        raw: bytes = stream.read(MOST_PACKED + 1) if stream else b""
    except Exception:
        # Each server has errors of its own for what breaks off, or is no chunk.
        raise ParseError("The body could not be read to its end.", "bad_message") from None
    if len(raw) > MOST_PACKED:
        raise BodyTooLarge(f"The body is larger than {MOST_PACKED:,} bytes.")
    return raw


def _decoded(raw: bytes, request: Request, kind: str) -> Any:
    try:
        encoding = request.headers.get("Content-Encoding", "").strip().lower()
        return wire.decode(wire.unpacked(raw, encoding, most=MOST_UNPACKED), kind)
    except wire.TooLarge as error:
        raise BodyTooLarge(str(error)) from None
    except wire.BadMessage as error:
        raise ParseError(str(error), "bad_message") from None


def _said(taken: spans.Taken) -> ExportTraceServiceResponse:
    """Empty where everything was kept. What was refused must not be sent again, and says why."""
    response = ExportTraceServiceResponse()
    if taken.refused.total():
        told = "; ".join(f"{count:,} {REASONS[reason]}" for reason, count in sorted(taken.refused.items()) if count)
        response.partial_success.rejected_spans = taken.refused.total()
        response.partial_success.error_message = f"Refused: {told}."
    return response


def _status_response(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """The same judgement and the same entry in the trail as everywhere in the API, said as OTLP says it."""
    found = problem_response(error, context)
    detail = json.loads(found.content)["detail"]
    answer = _answer(
        Status(code=CODES.get(found.status_code, INTERNAL), message=detail), context["request"], found.status_code
    )
    for name in ("Retry-After", "WWW-Authenticate"):
        if name in found:
            answer[name] = found[name]
    return answer


def _answer(message: Any, request: Request, status: int) -> HttpResponse:
    kind = wire.JSON if _media_type(request) == wire.JSON else wire.PROTOBUF
    body = wire.encode(message, kind)
    return HttpResponse(body, status=status, content_type=kind)


def _media_type(request: Request) -> str:
    return (request.content_type or "").partition(";")[0].strip().lower()
