"""Lists: pages by opaque cursor, filters by field name, no totals unless asked. An unknown parameter is an error."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from audit.moments import moment
from audit.queries import COUNTED_UP_TO, Keyset
from audit.refusals import Refusal
from budgets.models import BusinessUnit

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
MAX_TEXT = 300
OLDER, NEWER = "o", "n"
OWN = ("limit", "cursor", "count")


class BadParameter(Refusal):
    """A query parameter that does not exist or cannot be used."""

    status_code = 400
    code = "bad_parameter"


@dataclass(frozen=True, slots=True)
class Filter:
    """`?name=text` narrows `lookup` to what `read` makes of the text. `read` raises ValueError with a sentence."""

    lookup: str
    read: Callable[[str], Any]


class Cursors(Keyset):
    """A Keyset that says so when a cursor is none of its own."""

    def refuse_foreign(self, cursor: str) -> None:
        if cursor[:1] not in (OLDER, NEWER) or self.place(cursor[1:]) is None:
            raise BadParameter("The cursor is not one of this list.", remedy="Start again without a cursor.")


def page_of(
    request: Request,
    rows: QuerySet[Any],
    order: Cursors,
    filters: Mapping[str, Filter],
    present: Callable[[list[Any]], list[Any]],
    *,
    known: Sequence[str] = (),
) -> Response:
    """One page of the rows the caller may see, newest first, as `{results, next, previous}`. By `known` parameters the rows
    are narrowed already.
    """
    query = {name: request.query_params[name] for name in request.query_params}
    _refuse_unknown(query, [*filters, *known, *OWN])
    rows = rows.filter(
        **{filters[name].lookup: value_of(name, filters[name].read, query[name]) for name in query if name in filters}
    )
    cursor = query.get("cursor", "")
    if cursor:
        order.refuse_foreign(cursor)
    side = "before" if cursor.startswith(NEWER) else "after"
    found = order.slice(rows, size=_limit(query), **{side: cursor[1:]})
    body: dict[str, Any] = {
        "results": present(found.rows),
        "next": _address(request, OLDER, found.older),
        "previous": _address(request, NEWER, found.newer),
    }
    if query.get("count") == "1":
        body["count"] = rows.order_by()[:COUNTED_UP_TO].count()
    return Response(body)


def refuse_unknown_parameters(request: Request, *known: str) -> None:
    """For addresses that are no lists."""
    _refuse_unknown(dict(request.query_params), list(known))


def _refuse_unknown(query: Mapping[str, Any], known: list[str]) -> None:
    for name in query:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"Parameters: {', '.join(known) or 'none'}."
            raise BadParameter(f"There is no parameter {name[:100]!r}.", remedy=hint)


def value_of(name: str, reads: Callable[[str], Any], said: str) -> Any:
    """What a parameter says. Raises BadParameter."""
    try:
        return reads(said)
    except ValueError as error:
        raise BadParameter(f"{name}: {error}") from None


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= MAX_LIMIT):
        raise BadParameter(f"limit: Use a whole number from 1 to {MAX_LIMIT}.")
    return int(text)


def _address(request: Request, side: str, cursor: str) -> str | None:
    if not cursor:
        return None
    query = request.query_params.copy()
    query["cursor"] = side + cursor
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


# --- What a filter's text may be ---------------------------------------------------------------------------------


def text(value: str) -> str:
    if len(value) > MAX_TEXT:
        raise ValueError(f"Use at most {MAX_TEXT} characters.")
    if "\x00" in value:
        raise ValueError("Leave out the character U+0000.")
    return value


def uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise ValueError("Use a UUID.") from None


def when(value: str) -> Any:
    found = moment(value)
    if found is None:
        # A plus that stands for itself arrives as a blank: what many a client's own format of a time leads to.
        plus = " A plus sign is written %2B in an address." if " " in value else ""
        raise ValueError(f"Write the time as RFC 3339: 2026-01-31T12:00:00Z.{plus}")
    return found


def unit(value: str) -> UUID | None:
    """A unit's name. One that does not exist finds nothing, exactly like one the caller may not see."""
    return BusinessUnit.objects.filter(name=text(value)).values_list("pk", flat=True).first()


def choice(*values: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in values:
            raise ValueError(f"Use one of: {', '.join(values)}.")
        return value

    return read
