"""The health page."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from audit.web import actor_of, page, unchanged
from orchestrator.queries import health as queries


@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """How the machine is, measured as it is asked for."""
    shown = queries.health_page(actor_of(request))
    return unchanged(request, shown.version) or page(
        request, "orchestrator/health.html", "orchestrator/_health.html", {"health": shown}
    )
