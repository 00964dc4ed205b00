"""Block tags that frame a part of a page: panel, fold, table. Registered in `kit`.

{% panel "Evidence" count=3 section="evidence" flush=True %}...{% endpanel %}
"""

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify

from audit.templatetags._format import count as in_thousands
from audit.templatetags._render import spelled


def panel(
    content: str,
    title: str,
    *,
    id: str = "",
    count: object = None,
    section: str = "",
    note: str = "",
    flush: bool = False,
) -> SafeString:
    """A titled part of a page. `section` makes it count as viewed; `flush` lets a table touch the edges."""
    key = id or slugify(title)
    shown = in_thousands(count) if isinstance(count, int) else count
    number = format_html(' <span class="count">{}</span>', shown) if count is not None else ""
    aside = format_html('<p class="note">{}</p>', note) if note else ""
    viewed = format_html(' data-section="{}"', section) if section else ""
    shape = (
        '<section class="panel{}" id="{}" aria-labelledby="{}-title"{}><header>'
        '<h2 id="{}-title">{}{}</h2>{}</header><div class="body">{}</div></section>'
    )
    return format_html(
        shape, " flush" if flush else "", key, key, viewed, key, _heading(title), number, aside, _safe(content)
    )


def fold(
    content: str, summary: str, *, section: str = "", note: str = "", open: bool = False, id: str = ""
) -> SafeString:
    """A disclosure; with `section` opening it counts as viewing it. Live updates keep it as the reader left it."""
    key = id or f"fold-{slugify(summary)}"
    viewed = format_html(' data-section="{}"', section) if section else ""
    aside = format_html(' <span class="muted">{}</span>', note) if note else ""
    shape = '<details class="fold" id="{}"{}{}><summary>{}{}</summary><div class="body">{}</div></details>'
    return format_html(shape, key, viewed, " open" if open else "", _heading(summary), aside, _safe(content))


def table(content: str, caption: str, *, id: str = "", show_caption: bool = False) -> SafeString:
    """A real table in a region that scrolls sideways by itself and can be reached by keyboard."""
    key = id or f"table-{slugify(caption)}"
    hidden = "" if show_caption else mark_safe(' class="sr-only"')
    shape = (
        '<div class="scroll" role="region" aria-labelledby="{}-caption" tabindex="0">'
        '<table id="{}"><caption id="{}-caption"{}>{}</caption>{}</table></div>'
    )
    return format_html(shape, key, key, key, hidden, _heading(caption), _safe(content))


def _heading(text: str) -> SafeString:
    """What stands in the template is ours; a name from elsewhere is spelled out like any other."""
    return text if isinstance(text, SafeString) else spelled(text)


def _safe(content: str) -> SafeString:
    """A block's content was rendered by the template engine and is escaped already."""
    return content if isinstance(content, SafeString) else format_html("{}", content)
