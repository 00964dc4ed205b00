"""Small pieces of markup, always built with `format_html`: data never reaches a page unescaped."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

from django.templatetags.static import static
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from audit.templatetags._diff import DIGIT, SAME, Part
from audit.templatetags._visible import Piece, directions, exact_pieces, is_rtl, pieces

NO_NAME = format_html('<span class="char">{}</span>', "[no name]")
_KEY = re.compile(r'^(\s*)("(?:[^"\\]|\\.)*")(:.*)$', re.DOTALL)


class Excerpt(NamedTuple):
    """The part of a long text that is shown, and the size of the whole in UTF-8."""

    text: str
    octets: int
    complete: bool


def spelled(text: object, ordinary: Callable[[str], SafeString] = escape) -> SafeString:
    """Escaped text in which hidden, bidirectional and look-alike characters are named in `<span class="char">`."""
    found = list(pieces(str(text)))
    if len(found) == 1 and not found[0].spelled:  # Nearly always, and some hundreds of times on a page.
        return ordinary(found[0].text)
    return _join(
        format_html('<span class="char">{}</span>', words) if is_spelled else ordinary(words)
        for is_spelled, words in _counted(found)
    )


def line(text: object) -> SafeString:
    """The same of one line among words of ours: what is written from right to left takes no amount behind it along. A line
    that begins so is somebody's own sentence, and stays whole."""
    if is_rtl(str(text)):
        return format_html("<bdi>{}</bdi>", spelled(text))
    return spelled(text, _with_directions)


def _with_directions(words: str) -> SafeString:
    return escape(words) if words.isascii() else _join(_exact_piece(piece) for piece in directions(words))


def _counted(found: list[Piece]) -> Iterator[tuple[bool, str]]:
    """Sixty marks on one letter are one name with a number, as the repeated blanks of a value are."""
    for (is_spelled, words), run in groupby(found, key=lambda piece: (piece.spelled, piece.text)):
        number = len(list(run))
        if is_spelled and number > 1:
            yield True, f"{words.removesuffix(']')} x{number}]"
        else:
            yield from [(is_spelled, words)] * number


def exact(text: object) -> SafeString:
    """Escaped text that could be typed back from the screen: nothing in it is hidden, doubled or moved."""
    return _join(_exact_piece(piece) for piece in exact_pieces(str(text)))


def _exact_piece(piece: Piece) -> SafeString:
    if piece.spelled:
        return format_html('<span class="char">{}</span>', piece.text)
    return format_html("<bdi>{}</bdi>" if piece.apart else "{}", piece.text)


def path(parts: Iterable[str | int]) -> SafeString:
    """Where a value stands: names exactly as they are, places in lists set apart from names that are numbers."""
    return _join((_step(part) for part in parts), format_html("{}", " / "))


def _step(part: str | int) -> SafeString:
    if isinstance(part, int):
        return format_html('<span class="muted" data-place>item {}</span>', part + 1)
    return format_html("<span data-name>{}</span>", exact(part) if part else NO_NAME)


@lru_cache(maxsize=512)
def icon(name: str, label: str = "") -> SafeString:
    """A sprite icon: decoration beside a word, or named when it stands alone."""
    href = f"{static('icons.svg')}#{name}"
    if not label:
        return format_html('<svg class="icon" aria-hidden="true"><use href="{}"/></svg>', href)
    shape = '<svg class="icon" role="img" aria-label="{}"><use href="{}"/></svg>'
    return format_html(shape, label, href)


def short_id(value: object) -> str:
    """The telling end of a UUID (its start is a time stamp); anything else as it is."""
    text = str(value)
    try:
        return UUID(text).hex[-8:]
    except ValueError:
        return text


def short_digest(value: str) -> str:
    """`9f2c1b…e41b`."""
    return value if len(value) <= 14 else f"{value[:6]}…{value[-4:]}"


def pretty(value: object) -> str:
    """JSON for reading. Bytes are somebody's exact payload and stay exactly as they are."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    return json.dumps(value, indent=2, ensure_ascii=False, default=_plain)


def excerpt(text: str, limit: int) -> Excerpt:
    """At most `limit` bytes of the text, never half a character."""
    whole = text.encode("utf-8", errors="surrogatepass")
    if len(whole) <= limit:
        return Excerpt(text, len(whole), complete=True)
    return Excerpt(whole[:limit].decode("utf-8", errors="ignore"), len(whole), complete=False)


def json_lines(text: str) -> SafeString:
    """Pretty JSON with its keys set apart."""
    return _join((_json_line(line) for line in text.split("\n")), "\n")


def parts(side: Iterable[Part], element: str) -> SafeString:
    """One side of a word diff; what changed sits in `<del>` or `<ins>`, differing digits in `<b>` inside it."""
    shapes = {SAME: "{1}", DIGIT: '<{0}><b class="digit">{1}</b></{0}>'}
    return _join(
        format_html(shapes.get(part.kind, "<{0}>{1}</{0}>"), mark_safe(element), spelled(part.text)) for part in side
    )


def read(item: object, name: str, default: Any = "") -> Any:
    """An attribute or key of what a page hands over; kit tags accept dataclasses and dicts alike."""
    value = item.get(name) if isinstance(item, Mapping) else getattr(item, name, None)
    return default if value is None else value


def _json_line(line: str) -> SafeString:
    match = _KEY.match(line)
    if not match:
        return spelled(line)
    indent, key, rest = match.groups()
    return format_html('{}<span class="key">{}</span>{}', indent, spelled(key), spelled(rest))


def _join(fragments: Iterable[SafeString], separator: str = "") -> SafeString:
    return format_html_join(separator, "{}", ((fragment,) for fragment in fragments))


def _plain(value: object) -> str:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    return repr(value)
