"""The W3C `traceparent` header (Trace Context, level 2): which trace a caller is in. Pure."""

import re
from uuid import UUID

_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


def trace_of(header: str) -> UUID | None:
    """The trace's id; None for anything that the standard says to ignore: another caller's mistake is no reason to refuse."""
    found = _FORM.fullmatch(header.strip())
    if found is None:
        return None
    version, trace_id, parent, more = found.groups()
    if version == "ff" or (version == "00" and more):
        return None
    return UUID(trace_id) if int(trace_id, 16) and int(parent, 16) else None
