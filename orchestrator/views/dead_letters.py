"""Pages of dead letters: what is stuck, why, whose it is, and the two things a person can do about it."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from audit.templatetags._render import short_id
from audit.web import actor_of, chips, crumbs, cursors, page, pager, unchanged
from orchestrator.forms.lists import LetterForm
from orchestrator.forms.triage import DiscardForm
from orchestrator.operations import dead_letters as operations
from orchestrator.queries import dead_letters as queries
from orchestrator.views.drill import figure_chip


@require_safe
def dead_letter_list(request: HttpRequest) -> HttpResponse:
    """Last failed first."""
    actor, now = actor_of(request), timezone.now()
    form = LetterForm(request.GET, offered=queries.choices(actor))
    filters = form.filters(now)
    found = queries.letter_list(actor, filters, **cursors(request))
    context = {
        "form": form,
        "listing": found,
        "chips": [*figure_chip(request, filters.behind), *chips(request, form)],
        "pager": pager(request, found.slice),
    }
    return page(request, "orchestrator/dead_letter_list.html", "orchestrator/_dead_letter_rows.html", context)


@require_safe
def dead_letter_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One letter with its runbook and last evidence."""
    shown = queries.letter_page(actor_of(request), pk)
    return unchanged(request, shown.version) or _letter_page(request, shown, DiscardForm())


@require_POST
def retries(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Queue this one step for retry. Whether that fixed it is known only when it has succeeded."""
    letter = operations.requeue(letter_id=pk, by=actor_of(request))
    return redirect(letter)


@require_POST
def discards(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Give it up, with a reason."""
    actor = actor_of(request)
    form = DiscardForm(request.POST)
    if not form.is_valid():
        return _letter_page(request, queries.letter_page(actor, pk), form, status=422)
    letter = operations.discard(
        letter_id=pk, by=actor, code=form.cleaned_data["reason_code"], note=form.cleaned_data["note"]
    )
    messages.success(request, "The dead letter is discarded and its execution cancelled.")
    return redirect(letter)


def _letter_page(
    request: HttpRequest, shown: queries.LetterPage, form: DiscardForm, *, status: int = 200
) -> HttpResponse:
    place = crumbs("Dead letters", "failure_groups", f"DL-{short_id(shown.letter.pk)}")
    context = {"crumbs": place, "shown": shown, "letter": shown.letter, "form": form}
    return page(
        request, "orchestrator/dead_letter_detail.html", "orchestrator/_dead_letter.html", context, status=status
    )
