"""Pages of unknown outcomes: the lane, and a person's answer."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from audit.web import actor_of, chips, cursors, page, pager
from orchestrator.forms.unknown_outcomes import DoubtForm
from orchestrator.queries import unknown_outcomes as queries


@require_safe
def unknown_outcome_list(request: HttpRequest) -> HttpResponse:
    """What was sent and never answered, longest in doubt first."""
    actor = actor_of(request)
    form = DoubtForm(request.GET, offered=queries.choices(actor))
    found = queries.doubt_list(actor, **form.chosen(timezone.now()), **cursors(request))
    context = {
        "form": form,
        "listing": found,
        "chips": chips(request, form),
        "pager": pager(request, found.slice),
    }
    return page(request, "orchestrator/unknown_outcome_list.html", "orchestrator/_unknown_outcome_rows.html", context)
