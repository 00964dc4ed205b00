"""The Django admin as the place for policies and definitions: same sign-in, same refusals as the rest of the console."""

from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator

from audit.refusals import Forbidden
from audit.web import READING


class NotAnAdministrator(Forbidden):
    """Signed in, but not as somebody who may configure."""

    code = "not_an_administrator"


class HoldpointAdmin(AdminSite):
    """One sign-in page for everything; whoever is signed in and may not configure is told so."""

    site_title = site_header = "Holdpoint"
    index_title = "Policies and definitions"
    enable_nav_sidebar = False

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """What an address looks for goes into the query as it is typed: what no column could hold is that address's fault."""
        asked = super().admin_view(view, cacheable)

        @wraps(asked)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            try:
                return asked(request, *args, **kwargs)
            except DataError as error:
                if request.method not in READING:
                    raise
                raise BadRequest("This address looks for something that cannot be looked for.") from error

        return answer

    @method_decorator(login_not_required)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if self.has_permission(request):
            return redirect("admin:index")
        if request.user.is_authenticated:
            raise NotAnAdministrator(
                "Configuring policies, tools, agents and units takes the administrator role.",
                remedy="Ask an administrator of your business unit.",
            )
        return redirect_to_login(request.GET.get("next", "/admin/"))

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One page for everybody's password, where guesses at the old one are counted."""
        return redirect("password")
