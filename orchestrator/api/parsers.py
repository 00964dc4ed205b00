"""Reading a body: strict JSON of at most one megabyte, or a problem that says what is wrong with it."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

from audit.canonical import BadJSON, read_strict

MAX_BODY_BYTES = 1_048_576
# A megabyte holds half a million empty lists, and every value costs time in each digest taken over it.
MAX_VALUES = 100_000


class BodyTooLarge(APIException):
    """Answered before anything is parsed."""

    status_code = 413
    default_detail = f"The body is larger than {MAX_BODY_BYTES:,} bytes."
    default_code = "body_too_large"


class StrictJSONParser(BaseParser):
    """JSON that every parser reads the same way: see audit.canonical.read_strict for what is refused."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        raw = stream.read(MAX_BODY_BYTES + 1)
        if len(raw) > MAX_BODY_BYTES:
            raise BodyTooLarge
        try:
            value = read_strict(raw, max_bytes=MAX_BODY_BYTES)
        except BadJSON as error:
            raise ParseError(str(error), "bad_json") from None
        if _count(value) > MAX_VALUES:
            raise ParseError(f"The body holds more than {MAX_VALUES:,} values.", "too_many_values")
        return value


def _count(value: Any) -> int:
    found, todo = 0, [value]
    while todo:
        inner = todo.pop()
        found += 1
        if isinstance(inner, (dict, list)):
            todo.extend(inner.values() if isinstance(inner, dict) else inner)
    return found
