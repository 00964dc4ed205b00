"""Pages of traces: the search, one trace as a waterfall, and the next children of one of its parts."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from audit.refusals import NotVisible
from audit.templatetags._render import short_id
from audit.web import actor_of, address, chips, crumbs, cursors, page, pager, unchanged
from orchestrator.forms.lists import TraceForm
from orchestrator.queries import trace_search, waterfall
from orchestrator.queries import traces as one
from orchestrator.queries.trace_details import detail_of
from orchestrator.queries.trace_parts import MOST_PARTS
from orchestrator.queries.traces import Node, Trace


@require_safe
def trace_list(request: HttpRequest) -> HttpResponse:
    """Executions that began a trace, newest first, narrowed by the filters in the address."""
    actor, now = actor_of(request), timezone.now()
    form = TraceForm(request.GET, offered=trace_search.choices(actor))
    found = trace_search.trace_list(actor, form.filters(now), now=now, **cursors(request))
    context = {
        "form": form,
        "listing": found,
        "chips": chips(request, form),
        "pager": pager(request, found.slice),
    }
    return page(request, "orchestrator/trace_list.html", "orchestrator/_trace_rows.html", context)


@require_safe
def trace_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One trace. `view` says which rows, `focus` from which part down, `span` which part the side panel tells of."""
    found = _visible(request, pk)
    if isinstance(found, HttpResponse):
        return found
    if answer := unchanged(request, found.version):
        return answer
    view = request.GET.get("view", "")
    view = view if view in waterfall.VIEWS else "tree"
    focus = _node(found, request.GET.get("focus", ""))
    span = _node(found, request.GET.get("span", ""))
    rows = {"hot": waterfall.hot_path, "errors": waterfall.errors_only}.get(view)
    context = {
        "crumbs": crumbs("Traces", "traces", f"TRC-{short_id(found.id)}"),
        "trace": found,
        "view": view,
        "views": [
            (name, label, address(request, view=None if name == "tree" else name, focus=None))
            for name, label in waterfall.VIEWS.items()
        ],
        "focus": focus,
        "whole_url": address(request, focus=None),
        "tools": waterfall.by_tool(found) if view == "tools" else [],
        "beside": waterfall.beside(found) if view == "hot" else 0,
        "rows": rows(found) if rows else waterfall.first_page(found, focus) if view == "tree" else [],
        "detail": detail_of(span) if span else None,
    }
    return page(request, "orchestrator/trace_detail.html", "orchestrator/_trace.html", context)


@require_safe
def trace_children(request: HttpRequest, pk: UUID, part: UUID) -> HttpResponse:
    """The next children of one part, as rows; without script the same link opens the part by itself."""
    found = _visible(request, pk)
    if isinstance(found, HttpResponse):
        return found
    node = found.nodes.get(part)
    if node is None:
        raise NotVisible("There is no such part in this trace.")
    after, depth = _number(request, "after"), _number(request, "depth")
    rows = waterfall.children(found, node, after=after, depth=depth)
    context = {"trace": found, "rows": rows, "view": "tree", "focus": node, "crumbs": crumbs("Traces", "traces", "")}
    return page(request, "orchestrator/trace_children.html", "orchestrator/_trace_lines.html", context)


def _visible(request: HttpRequest, pk: UUID) -> Trace | HttpResponse:
    """The trace by its own id; by the id of a record of it, the address of that part."""
    actor = actor_of(request)
    try:
        return one.trace(actor, pk, now=timezone.now())
    except NotVisible:
        other = one.trace_id_of(pk)
        if other is None or other == pk:
            raise
        one.trace(actor, other, now=timezone.now())
        return redirect(f"{reverse('trace', args=[other])}?focus={pk}&span={pk}")


def _node(trace: Trace, text: str) -> Node | None:
    try:
        return trace.nodes.get(UUID(text))
    except ValueError:
        return None


def _number(request: HttpRequest, name: str) -> int:
    text = request.GET.get(name, "")
    return min(int(text), MOST_PARTS) if text.isascii() and text.isdigit() and len(text) < 9 else 0
