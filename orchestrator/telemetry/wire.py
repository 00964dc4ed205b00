"""OTLP over HTTP: protobuf or JSON, plain or gzip. One message in, one out, in the same encoding. Pure.

JSON differs from protobuf's own JSON in one thing: ids are hex, not base64.
"""

import json
import zlib
from base64 import b64encode
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PROTOBUF, JSON = "application/x-protobuf", "application/json"
IDS = {"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"}
MOST_DEPTH = 40
# Each member costs a copy of what follows it, however little it holds.
MOST_MEMBERS = 100
# What stands for text that is no id. Of one byte it is refused wherever it stands; an empty parent would be none.
NO_ID = b"\0"


class BadMessage(ValueError):
    """It cannot be read. Sending it again will not help."""


class TooLarge(BadMessage):
    """It becomes larger than allowed when it is unpacked."""


def unpacked(body: bytes, encoding: str, *, most: int) -> bytes:
    """The body as it was before compression. A small one that would become huge is refused before it does."""
    if encoding in {"", "identity"}:
        return body
    if encoding != "gzip":
        raise BadMessage("The body may be compressed with gzip, or not at all.")
    found = b""
    for _ in range(MOST_MEMBERS):
        member, body = _first_member(body, most + 1 - len(found))
        found += member
        if len(found) > most:
            raise TooLarge(f"The body is larger than {most:,} bytes when it is unpacked.")
        if not body:
            return found
    raise BadMessage(f"The body is made of more than {MOST_MEMBERS} gzip members.")


def _first_member(body: bytes, most: int) -> tuple[bytes, bytes]:
    """What the first gzip member holds, and the bytes after it: a body may be several, one after the other."""
    reader = zlib.decompressobj(wbits=31)
    try:
        found = reader.decompress(body, most)
    except zlib.error:
        raise BadMessage("The body is not gzip, although its headers say so.") from None
    if len(found) < most and not reader.eof:
        raise BadMessage("The body ends in the middle of its compression.")
    return found, reader.unused_data


def decode(body: bytes, media_type: str) -> ExportTraceServiceRequest:
    """What was exported. Fields that we do not know are ignored, as OTLP wants it."""
    request = ExportTraceServiceRequest()
    try:
        if media_type == JSON:
            json_format.ParseDict(_with_ids(json.loads(body)), request, ignore_unknown_fields=True)
        else:
            request.ParseFromString(body)
    except (DecodeError, json_format.ParseError, ValueError, RecursionError, TypeError, AttributeError):
        # Not a word of theirs: it quotes the body.
        raise BadMessage("The body is no ExportTraceServiceRequest in the encoding that its type names.") from None
    return request


def encode(message: Message, media_type: str) -> bytes:
    if media_type == JSON:
        return json.dumps(json_format.MessageToDict(message)).encode()
    return bytes(message.SerializeToString())


def _with_ids(value: Any, depth: int = 0) -> Any:
    """Ids as protobuf's own JSON has them. An attribute that happens to be called so is inside a `value`, and no text here."""
    if depth > MOST_DEPTH:
        raise BadMessage("The body is nested too deeply.")
    if isinstance(value, list):
        return [_with_ids(one, depth + 1) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: b64encode(_id(one)).decode() if key in IDS and one is not None else _with_ids(one, depth + 1)
        for key, one in value.items()
    }


def _id(said: Any) -> bytes:
    """One that cannot be read costs its own span, never the others of the request."""
    try:
        return bytes.fromhex(said)
    except (TypeError, ValueError):
        return NO_ID
