"""JSON Pointers (RFC 6901): where in a document something is wrong."""

from collections.abc import Iterable


def pointer_to(parts: Iterable[str | int]) -> str:
    """`/lines/3/amount` of ("lines", 3, "amount"); the whole document is the empty text."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def names_in(pointer: str) -> list[str]:
    """The names in a JSON Pointer."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
