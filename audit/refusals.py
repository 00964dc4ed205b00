"""A "no" written for the person who asked. Special refusals live beside the verb that raises them."""

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):
    """Understood and turned down: shown to the asker (409 unless said otherwise) and recorded in the audit trail."""

    status_code = 409
    code = "refused"
    # Seconds after which asking again makes sense, where somebody knows.
    retry_after: float | None = None
    # What a program needs beside the words to go on from here, by name.
    members: Mapping[str, Any] = {}

    def __init__(self, message: str, *, code: str | None = None, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.remedy = remedy


class Stale(Refusal):
    """Somebody was faster: the row is no longer in the status, or under the fence, the verb started from."""

    code = "stale"


class Forbidden(Refusal):
    """The asker may see the thing but not do this to it."""

    status_code = 403
    code = "forbidden"


class NotVisible(Refusal):
    """Not there, or not in a unit the asker may see: deliberately the same answer."""

    status_code = 404
    code = "not_found"


class Invalid(Refusal):
    """The input cannot be used. `errors` name each field: (JSON pointer, code, message)."""

    status_code = 422
    code = "invalid"

    def __init__(self, message: str, *, errors: list[tuple[str, str, str]] | None = None, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.errors = errors or []


def refuse_blank(reason: str, words: str) -> None:
    """For an act that needs a reason: `words` ask for it."""
    if not reason.strip():
        raise Invalid(words, errors=[("/reason", "required", words)])
