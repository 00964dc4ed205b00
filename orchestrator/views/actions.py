"""Pages of actions: every tool call, our own steps' and foreign agents'."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from audit.refusals import Invalid
from audit.templatetags._render import short_id
from audit.web import actor_of, chips, crumbs, cursors, page, pager, record_refusal, unchanged
from orchestrator.forms.lists import ActionForm
from orchestrator.forms.unknown_outcomes import AnswerForm
from orchestrator.operations import unknown_outcomes
from orchestrator.queries import actions as queries
from orchestrator.queries.unknown_outcomes import doubts_of
from orchestrator.views.drill import figure_chip


@require_safe
def action_list(request: HttpRequest) -> HttpResponse:
    """Newest first, under the totals of everything the filters let through."""
    actor, now = actor_of(request), timezone.now()
    form = ActionForm(request.GET, offered=queries.choices(actor))
    filters = form.filters(now)
    found = queries.action_list(actor, filters, **cursors(request))
    context = {
        "form": form,
        "listing": found,
        "chips": [*figure_chip(request, filters.behind), *chips(request, form)],
        "pager": pager(request, found.slice),
    }
    return page(request, "orchestrator/action_list.html", "orchestrator/_action_rows.html", context)


@require_safe
def action_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One action: bytes, verdict, signatures, key, outcome, and how to undo it."""
    shown = queries.action_page(actor_of(request), pk)
    return unchanged(request, shown.version) or _action_page(request, shown, AnswerForm())


@require_POST
def answers(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A person says what became of a send that nobody can look up."""
    actor = actor_of(request)
    form = AnswerForm(request.POST)
    if not form.is_valid():
        return _action_page(request, queries.action_page(actor, pk), form, status=422)
    try:
        action = unknown_outcomes.answer(action_id=pk, said=form.said(), by=actor)
    except Invalid as refusal:
        record_refusal(request, refusal)
        form.take(refusal)
        return _action_page(request, queries.action_page(actor, pk), form, status=422)
    messages.success(request, "Your answer is recorded.")
    return redirect(action)


def _action_page(
    request: HttpRequest, shown: queries.ActionPage, form: AnswerForm, *, status: int = 200
) -> HttpResponse:
    place = crumbs("Actions", "actions", f"ACT-{short_id(shown.action.pk)}")
    doubts = doubts_of([shown.action] if shown.needs_answer else [])
    context = {"crumbs": place, "shown": shown, "action": shown.action, "form": form, "doubt": next(iter(doubts), None)}
    return page(request, "orchestrator/action_detail.html", "orchestrator/_action.html", context, status=status)
