"""The template kit: `{% load kit %}`. Every tag is shown in all its states on the gallery page.

Tags take plain values, never models, so a template that uses them cannot query. Data is escaped and spelled out here;
`|safe` has no place in a page.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django import template
from django.forms import BaseForm, BoundField
from django.template import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import slugify

from audit.templatetags import _burn, _charts, _format, _frames, _graph, _render, _status, _stories

register = template.Library()
SPARK_HEIGHT = 16
HUGE = 4_000  # bytes of a value shown at once
ORIGINS = {
    "record": ("System of record", "box"),
    "calculated": ("Calculated", "sum"),
    "agent": ("Agent said", "agent"),
    "person": ("A person said", "person"),
}

# --- Words with a shape ----------------------------------------------------------------------------------------


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """A 16 px icon. Without a label it is decoration beside a word."""
    return _render.icon(name, label)


@register.inclusion_tag("_status.html")
def badge(domain: str, status: str, word: str = "") -> dict[str, object]:
    """The status pill; `word` may say it more precisely ("Waiting for signal")."""
    pill = _status.pill(domain, status)
    return {"pill": pill._replace(word=word) if word else pill}


@register.inclusion_tag("_status.html")
def signatures(given: int, required: int) -> dict[str, object]:
    """The "1 of 2" pill."""
    return {"pill": _status.signatures(given, required), "suffix": "signatures"}


@register.simple_tag
def origin(kind: str) -> SafeString:
    """Where a value comes from: record, calculated, agent or person."""
    word, shape = ORIGINS[kind]
    return format_html('<span class="origin" data-origin="{}">{}{}</span>', kind, _render.icon(shape), word)


@register.filter
def visible(text: object) -> SafeString:
    """One line of untrusted text: escaped, and what cannot be seen is named."""
    return _render.line(text)


@register.filter
def exact(text: object) -> SafeString:
    """A value somebody signs: also its blanks, tabs and line ends can be seen, and nothing in it moves."""
    return _render.exact(text)


@register.filter
def path(parts: Iterable[str | int]) -> SafeString:
    """Where a value stands inside of an object: `lines / item 2 / amount`."""
    return _render.path(parts)


# --- Numbers ---------------------------------------------------------------------------------------------------


@register.simple_tag
def money(amount: Decimal | int | str | None, currency: str = "", exact: bool = False) -> SafeString:
    """`EUR 4,860.00`; a rounded figure carries its exact value."""
    shown, precise = _format.money(amount, currency)
    if not precise or exact:
        return format_html('<span class="num">{}</span>', precise if exact and precise else shown)
    return format_html('<span class="num" title="exactly {}">{}</span>', precise, shown)


@register.simple_tag
def tokens(number: int | None) -> SafeString:
    """`12,940`, or "unknown"."""
    return format_html('<span class="num">{}</span>', _format.count(number))


@register.simple_tag
def measured(amount: Decimal, currency: str, measure: str) -> SafeString:
    """`EUR 250.00`, or `1,000 runs` where what is counted is no money."""
    return (
        money(amount, currency)
        if currency
        else format_html("{} {}", tokens(int(amount)), _format.counted_in(amount, measure))
    )


@register.simple_tag
def duration(value: timedelta | float | None) -> SafeString:
    """`4.2 s` from a timedelta or seconds."""
    return format_html('<span class="num">{}</span>', _format.duration(value))


@register.simple_tag
def size(octets: int) -> SafeString:
    """`4.0 KB`."""
    return format_html('<span class="num">{}</span>', _format.size(octets))


@register.inclusion_tag("parts/_spark.html")
def spark(points: Sequence[float | None], mark: float = 1) -> dict[str, object]:
    """A small line over levels from 0 to 1 with the limit at `mark`; what is not known is a gap, and is said."""
    known = [level for level in points if level is not None]
    said = f"highest {max(known):.0%} of the upper limit" if known else "nothing was measured"
    gap = f", {len(points) - len(known)} of {len(points)} moments unknown" if 0 < len(known) < len(points) else ""
    words = f"Last ten minutes: {said}{gap}"
    return {"paths": _graph.spark(points), "mark": _graph.spark_height(mark), "words": words}


@register.inclusion_tag("parts/_trend.html")
def trend(numbers: Iterable[int], label: str) -> dict[str, object]:
    """A row of bars, the newest last; its sentence says the same in figures."""
    values = list(numbers)
    most = max(values, default=0)
    tall = [round(SPARK_HEIGHT * value / most, 1) if most else 0 for value in values]
    # What is not nothing can be seen.
    tall = [max(height, 1.5) if value else 0 for height, value in zip(tall, values, strict=True)]
    bars = [
        {"x": place * 4, "y": SPARK_HEIGHT - height, "height": height} for place, height in enumerate(tall) if height
    ]
    size = {"width": max(len(values) * 4 - 1, 1), "height": SPARK_HEIGHT}
    return {"bars": bars, "label": f"{label}: {sum(values):,}, at most {most:,} in one", "size": size}


@register.inclusion_tag("parts/_stacked.html")
def stacked(chart: _charts.Chart) -> dict[str, object]:
    """Stacked bars with their sentence, their key and the same numbers as a table; every mark leads to the rows behind it."""
    columns = zip(*(series.cells for series in chart.series), strict=True)
    return {
        "chart": chart,
        "marks": _charts.marks(chart),
        "nought": _charts.line_of_nought(chart),
        "width": len(chart.labels) * _charts.SLOT,
        "rows": list(zip(chart.labels, columns, strict=True)),
        "last": chart.labels[-1] if len(chart.labels) > 1 else "",
    }


@register.inclusion_tag("parts/_burn.html")
def burn(chart: _burn.Burn) -> dict[str, object]:
    """A sum by day against its limit and the lines before it, with where it is likely to end, and the same numbers as a table."""
    return {"chart": chart, "drawn": _burn.drawn(chart), "width": chart.days * _burn.SLOT}


# --- Times -----------------------------------------------------------------------------------------------------


@register.simple_tag(takes_context=True)
def when(context: Context, moment: datetime | None, style: str = "full") -> SafeString:
    """A time in the reader's zone with its distance; UTC on hover and focus. `short` is for tables."""
    if moment is None:
        return format_html('<span class="muted">{}</span>', "not yet")
    now = _now(context)
    absolute = _format.clock(timezone.localtime(moment), timezone.localtime(now))
    relative = _format.distance(moment, now)
    if style == "short":
        shape = '<time class="when" datetime="{}" title="{} ({})">{}</time>'
        return format_html(shape, _format.iso(moment), _format.utc(moment), relative, absolute)
    shape = (
        '<time class="when" datetime="{}" data-utc="{}" tabindex="0">{} <span class="muted" data-ago>{}</span></time>'
    )
    return format_html(shape, _format.iso(moment), _format.utc(moment), absolute, relative)


@register.simple_tag(takes_context=True)
def iso_now(context: Context) -> str:
    """The moment of this answer, to the second, as the `datetime` of a `<time>` and paper say it."""
    return _format.iso(_now(context))


@register.simple_tag(takes_context=True)
def due(context: Context, moment: datetime | None, announce: str = "") -> SafeString:
    """A due time that counts down by itself; `announce` names the thing, and is said at 15, 5 and 0 minutes."""
    if moment is None:
        return format_html('<span class="muted">{}</span>', "no limit")
    now = _now(context)
    absolute = _format.clock(timezone.localtime(moment), timezone.localtime(now), seconds=False)
    said = format_html(' data-announce="{}"', announce) if announce else ""
    shape = (
        '<span class="due" data-tone="{}" data-due="{}"{}>{}<span data-left>{}</span>'
        ' <time class="muted" datetime="{}" title="{}">{}</time></span>'
    )
    values = (_format.urgency(moment, now), _format.iso(moment), said, _render.icon("clock-mark"))
    shown = (_format.remaining(moment, now), _format.iso(moment), _format.utc(moment), absolute)
    return format_html(shape, *values, *shown)


# --- Identity --------------------------------------------------------------------------------------------------


@register.inclusion_tag("parts/_oid.html")
def oid(value: object, prefix: str = "", url: str = "", copy: bool = True) -> dict[str, object]:
    """A short id, its full form one step away: in the title, and in the copy button."""
    short = _render.short_id(value)
    return {"full": str(value), "short": f"{prefix}-{short}" if prefix else short, "url": url, "copy": copy}


@register.inclusion_tag("parts/_oid.html")
def digest(value: str, copy: bool = True) -> dict[str, object]:
    """`sha-256 9f2c1b…e41b` with a copy button."""
    return {"full": value, "short": _render.short_digest(value), "label": "sha-256", "copy": copy, "url": ""}


# --- Untrusted and structured content --------------------------------------------------------------------------


@register.inclusion_tag("parts/_agent_text.html")
def agent_text(text: str, source: str = "agent", limit: int = HUGE) -> dict[str, object]:
    """Something an agent (or `source`) wrote: plain text in a tinted frame, never markup."""
    part = _render.excerpt(str(text), limit)
    return {"source": source, "body": _render.spelled(part.text), "part": part, "limit": limit}


@register.inclusion_tag("parts/_json.html")
def json_view(value: object, title: str = "", url: str = "", limit: int = HUGE) -> dict[str, object]:
    """Any JSON as escaped text. Above `limit` bytes only the beginning, the size, and `url` for the rest."""
    part = _render.excerpt(_render.pretty(value), limit)
    body = _render.json_lines(part.text)
    return {"title": title, "body": body, "part": part, "url": url, "limit": limit}


@register.inclusion_tag("parts/_diff.html")
def diff(
    rows: Iterable[object], caption: str = "Change", before: str = "Record", after: str = "Proposed"
) -> dict[str, object]:
    """Word-level difference of rows with `label`, `before`, `after` and maybe `origin`."""
    return {
        "rows": [_stories.diff_row(row) for row in rows],
        "caption": caption,
        "before_title": before,
        "after_title": after,
    }


@register.inclusion_tag("parts/_evidence.html")
def evidence(rows: Iterable[object], caption: str = "Evidence") -> dict[str, object]:
    """Rows with `label`, `value`, `source`, `origin` and `matches` (True, False, None = not comparable)."""
    return {"rows": rows, "caption": caption}


@register.inclusion_tag("parts/_step_graph.html")
def step_graph(nodes: Iterable[object], title: str = "Steps", current: str = "") -> dict[str, object]:
    """Nodes with `key`, `status`, and maybe `label`, `url`, `needs`, `detail`, `domain`; drawn and listed."""
    known = {str(_render.read(node, "key")): node for node in nodes}
    drawing = _graph.layout({key: list(_render.read(node, "needs", ())) for key, node in known.items()})
    width, height = drawing.width + 4, drawing.height + 4
    return {
        "title": title,
        "id": f"graph-{slugify(title)}",
        "sprite": static("icons.svg"),
        "drawing": drawing,
        "boxes": [_stories.box(place, known[place.key], current) for place in drawing.places],
        "view_box": f"-2 -2 {width} {height}",
        "width": f"{width / 16:g}rem",
        "height": f"{height / 16:g}rem",
    }


@register.inclusion_tag("parts/_timeline.html", takes_context=True)
def timeline(context: Context, entries: Iterable[object], label: str = "What happened") -> dict[str, object]:
    """A story in order: entries with `at`, `title`, and maybe `detail`, `actor`, `tone`, `icon`, `url`, `body`."""
    told: list[dict[str, object]] = []
    before: datetime | None = None
    now = _now(context)
    for entry in entries:
        at = _render.read(entry, "at", None)
        gap = _format.duration(at - before) if at and before and at - before >= timedelta(milliseconds=1) else ""
        told.append({"entry": entry, "gap": gap, **_stories.moment(at, before=before or now, now=now)})
        before = at or before
    return {"entries": told, "label": label, "now": now}


@register.inclusion_tag("parts/_state_line.html", takes_context=True)
def state_line(context: Context, states: Iterable[object], label: str = "State") -> dict[str, object]:
    """Where a thing is on its way: states with `label`, `place` (past, current, next), and maybe `at`, `tone`."""
    return {"states": states, "label": label, "now": _now(context)}


# --- Frames ----------------------------------------------------------------------------------------------------


for frame in (_frames.panel, _frames.fold, _frames.table):
    register.simple_block_tag(frame)


@register.inclusion_tag("parts/_empty.html")
def empty(title: str, hint: str = "", url: str = "", link: str = "", kind: str = "nothing") -> dict[str, object]:
    """Nothing here, and why: `nothing` yet, no `match`, or the queue is `done`."""
    shape = {"nothing": "dash", "match": "search", "done": "check"}[kind]
    return {"title": title, "hint": hint, "url": url, "link": link, "kind": kind, "shape": shape}


@register.inclusion_tag("_pagination.html")
def pager(newer: str = "", older: str = "", shown: int | None = None, total: str = "") -> dict[str, object]:
    """Cursor paging: `newer` and `older` are addresses, `total` a counted or capped number as text."""
    return {"newer": newer, "older": older, "shown": shown, "total": total}


@register.inclusion_tag("parts/_field.html")
def field(bound: BoundField, label: str = "", key: str = "") -> dict[str, object]:
    """A form field with label, help and error, wired for assistive technology. `key` names its shortcut."""
    return {"field": bound, "label": label or bound.label, "key": key}


@register.filter
def narrows(form: BaseForm) -> bool:
    """Do the filters narrow the list by more than the state, which stands beside it in words?"""
    return bool(set(form.changed_data) - {"state"})


@register.inclusion_tag("parts/_form_errors.html")
def form_errors(form: BaseForm, *, beside: bool = False, outcome: str = "Nothing was recorded.") -> dict[str, object]:
    """The error summary on top of a form; takes focus after a 422.

    In a form that says every fault `beside` its field, a single one is said there alone, and the field takes the focus.
    Where a wrong try is recorded, the `outcome` says what did not happen.
    """
    faulty = [bound for bound in form.visible_fields() if bound.errors]
    if beside and len(faulty) == 1 and len(form.errors) == 1:
        faulty[0].field.widget.attrs["autofocus"] = True
        return {}
    return {"form": form, "fields": faulty, "general": form.non_field_errors(), "outcome": outcome}


# --- Helpers ---------------------------------------------------------------------------------------------------


def _now(context: Context) -> datetime:
    """The page's own moment: one clock reading per page, so two numbers on it never disagree."""
    moment = context.get("now")
    return moment if isinstance(moment, datetime) else datetime.now(tz=UTC)
