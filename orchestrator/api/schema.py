"""OpenAPI 3.1 of everything here, and its page: scripts and styles from our own origin, none of them inline."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView


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


class Docs(SpectacularSwaggerSplitView):
    url_name = "api-schema"
    template_name = "orchestrator/api_docs.html"
    authentication_classes = ()
