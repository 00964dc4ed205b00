"""Reading a body: strict JSON of at most one megabyte, or a problem that says what is wrong with it."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

from audit.canonical import BadJSON, read_strict

MAX_BODY_BYTES = 1_048_576


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
            return read_strict(raw, max_bytes=MAX_BODY_BYTES)
        except BadJSON as error:
            raise ParseError(str(error), "bad_json") from None
