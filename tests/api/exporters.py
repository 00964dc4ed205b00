"""Foreign agents' exporters: the OpenTelemetry SDK's own, the same spans as OTLP's JSON, and spans written by hand."""

import json
from base64 import b64decode
from http.client import HTTPConnection

from google.protobuf import json_format
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def sdk(server, token, **options):
    """The SDK's exporter, as an agent anywhere configures it."""
    return OTLPSpanExporter(
        f"{server.url}/v1/traces", headers={"Authorization": f"Bearer {token}"}, timeout=20, **options
    )


class JSONExporter(SpanExporter):
    """The SDK has no exporter for OTLP's JSON: its spans, its encoder, and ids in hex as OTLP says."""

    def __init__(self, server, token):
        self.server, self.token = server, token
        self.answers = []

    def export(self, spans):
        body = json.dumps(as_json(encode_spans(spans))).encode()
        self.answers.append(post(self.server, self.token, body, "application/json"))
        return SpanExportResult.SUCCESS if self.answers[-1][0] == 200 else SpanExportResult.FAILURE


def as_json(message):
    return hexed(json_format.MessageToDict(message))


def hexed(value):
    if isinstance(value, list):
        return [hexed(one) for one in value]
    if not isinstance(value, dict):
        return value
    ids = {"traceId", "spanId", "parentSpanId"}
    return {key: b64decode(one).hex() if key in ids else hexed(one) for key, one in value.items()}


def post(server, token, body, kind="application/x-protobuf", **headers):
    """(status, body as bytes, headers)"""
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=60)
    auth = {"Authorization": f"Bearer {token}"} if token else {}
    connection.request("POST", "/v1/traces", body, {"Content-Type": kind, **auth, **headers})
    answer = connection.getresponse()
    found = answer.status, answer.read(), answer.headers
    connection.close()
    return found


def span(number, parent=0, *, trace=b"\x01" * 16, start=START, took=SECOND, name="", error=False, **attributes):
    """One span by hand; ids are numbers, or the eight bytes themselves. `took` None: it has not ended."""
    made = ExportTraceServiceRequest().resource_spans.add().scope_spans.add().spans.add()
    made.trace_id = getattr(trace, "bytes", trace)
    made.span_id = eight(number)
    made.parent_span_id = eight(parent) if parent else b""
    made.name = name or f"span {number}"
    made.start_time_unix_nano = start
    made.end_time_unix_nano = 0 if took is None else start + took
    made.status.code = 2 if error else 0
    for key, value in attributes.items():
        kind = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}[type(value)]
        setattr(made.attributes.add(key=key).value, kind, value)
    return made


def eight(number):
    return number if isinstance(number, bytes) else number.to_bytes(8, "big")


def batch(*spans):
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.extend(spans)
    return request.SerializeToString()
