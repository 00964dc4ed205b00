"""OpenAPI 3.1 of everything here, and its page: scripts and styles from our own origin, none of them inline."""

from typing import Any

from csp.decorators import csp_update
from django.template.loader import get_template
from django.utils.decorators import method_decorator
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "orchestrator.api.auth.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "`manage.py token` prints one, once."}


class BrowserScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "orchestrator.api.auth.BrowserAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "A signed-in person, with CSRF."}


class Schema(SpectacularJSONAPIView):
    """The contract itself. Public: it says nothing about anybody's data."""

    authentication_classes = ()


class WithDjangosRequest(TemplateHTMLRenderer):
    """DRF hands templates its own request, whose user is None for strangers; ours expect Django's."""

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> str:
        name = renderer_context["response"].template_name
        return get_template(name).render(data, request=renderer_context["request"]._request)


# Swagger's style sheet carries its icons as data: images. This page only, and still no inline script or style.
@method_decorator(csp_update({"img-src": "data:"}), "dispatch")
class Docs(SpectacularSwaggerSplitView):
    url_name = "api-schema"
    template_name = "orchestrator/api_docs.html"
    renderer_classes = [WithDjangosRequest]

    def perform_authentication(self, request: Request) -> None:
        """Nothing to check: the page is as public as the contract."""
