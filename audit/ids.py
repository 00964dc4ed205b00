"""The one place an id is made: UUIDv7 (RFC 9562), so that rows sort by creation and nothing can be guessed or counted."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    return uuid7()
