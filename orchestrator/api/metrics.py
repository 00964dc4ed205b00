"""`/metrics`: the machine's figures for Prometheus. A token opens it, as it does the same figures in the API."""

from django.http import HttpResponse
from rest_framework.request import Request

from audit import scope
from orchestrator.api.auth import TokenAuthentication
from orchestrator.api.base import ApiView, actor_of, machines
from orchestrator.health.exposition import MEDIA_TYPE, exposition
from orchestrator.queries.health import MACHINE_SCOPE


class Metrics(ApiView):
    doors = {"GET": machines(MACHINE_SCOPE)}
    schema = None  # type: ignore[assignment]
    authentication_classes = (TokenAuthentication,)

    def get(self, request: Request) -> HttpResponse:
        text = exposition(scope.unit_ids(actor_of(request), "view"))
        return HttpResponse(text, content_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})
