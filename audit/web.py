"""The web's side of the floor: who asks, one address in two sizes, and what a "no" looks like.

Not here: any rule. Whether something is allowed is asked of the verbs, which raise a Refusal.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypedDict
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.core.exceptions import PermissionDenied
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.template.loader import get_template
from django.urls import Resolver404, resolve, reverse
from django.utils.cache import patch_vary_headers

from audit import actors, away, events, strangers
from audit.actors import Actor
from audit.queries import Slice
from audit.refusals import Forbidden, Refusal
from audit.sheets import as_csv

READING = {"GET", "HEAD"}
RETRY_SECONDS = "1"
LONGEST_CHIP = 100
WHOLE_PAGES = {403: "403.html", 404: "404.html"}
Answer = Callable[[HttpRequest], HttpResponse]


def actor_of(request: HttpRequest) -> Actor:
    """Who asks. While a page is read their units are looked up once; a request that changes something asks anew."""
    user = request.user
    if not user.is_authenticated:
        return actors.ANYONE
    if not hasattr(request, "_actor"):
        answers: dict[str, Any] | None = {} if request.method in READING else None
        request._actor = actors.person(  # type: ignore[attr-defined]
            user.pk, user.get_full_name() or user.get_username(), answers=answers
        )
    return request._actor  # type: ignore[attr-defined,no-any-return]


def is_part(request: HttpRequest) -> bool:
    """Did htmx ask for a part of the page it stands on?"""
    htmx = request.htmx  # type: ignore[attr-defined]
    return bool(htmx) and not htmx.boosted


def page(
    request: HttpRequest, full: str, part: str | Mapping[str, str], context: Mapping[str, Any], *, status: int = 200
) -> HttpResponse:
    """One address, two sizes: the part for htmx, the whole page for everyone else.

    Where a page has several parts, `part` maps the id of the swapped element to its template; "" is the default.
    """
    template = full
    if is_part(request):
        template = part if isinstance(part, str) else part.get(target_of(request), part[""])
    response = render(request, template, dict(context), status=status)
    patch_vary_headers(response, ["HX-Request", "HX-Boosted", "HX-Target"])
    return response


def target_of(request: HttpRequest) -> str:
    """The id of the element that will be swapped; htmx 4 sends `tag#id`."""
    return (request.headers.get("HX-Target") or "").rpartition("#")[2]


def unchanged(request: HttpRequest, version: str) -> HttpResponse | None:
    """The answer to a live region that already holds this version: nothing, so nothing is swapped."""
    holds = "X-Live" in request.headers and request.headers.get("If-None-Match") == f'"{version}"'
    return HttpResponse(status=204) if holds else None


def address(request: HttpRequest, **changes: object) -> str:
    """This address with some query keys changed; None or "" takes a key out. Everything a page shows stays in it."""
    query = request.GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value not in (None, ""):
            query[name] = str(value)
    return f"{request.path}?{query.urlencode()}" if query else request.path


def crumbs(kind: str, name: str, *last: str) -> list[dict[str, str]]:
    """The way back: the list called `name`, then where the page stands."""
    return [{"label": kind, "url": reverse(name)}, *({"label": label} for label in last)]


class Cursors(TypedDict):
    """Where in a list a page stands, as `Keyset.slice` takes it."""

    after: str
    before: str


def cursors(request: HttpRequest) -> Cursors:
    return {"after": request.GET.get("after", ""), "before": request.GET.get("before", "")}


def pager(request: HttpRequest, shown: Slice) -> dict[str, str]:
    """The addresses of the pages beside this one."""
    return {
        "newer": address(request, before=shown.newer, after=None) if shown.newer else "",
        "older": address(request, after=shown.older, before=None) if shown.older else "",
    }


def chips(request: HttpRequest, form: BaseForm, *, hidden: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The filters of the address, each with the address that takes it away; also those that cannot be applied.

    `hidden` names those that only a link sets, and that a reader would not know of otherwise.
    """
    found = []
    for field in (*form.visible_fields(), *(form[name] for name in hidden)):
        value = request.GET.get(field.name, "")
        if value:
            options = dict(getattr(field.field, "choices", []))
            away = address(request, **{field.name: None}, after=None, before=None)
            # Chosen once and no longer offered, or typed into the address: nothing is narrowed by it, and that is said.
            words = str(options.get(value, value))[:LONGEST_CHIP]
            found.append({"label": field.label, "value": words, "url": away, "is_ignored": bool(field.errors)})
    return found


def record_refusal(request: HttpRequest, refusal: Refusal) -> str:
    """Leave a trace of a "no" with the address's pattern and the code, never with what was typed.

    Returns its id, "" where a stranger's is one of too many.
    """
    match = request.resolver_match
    route = match.route if match else "?"
    fact = events.fact(
        "request.refused",
        by=actor_of(request),
        why=refusal.code,
        data={"route": f"{request.method} /{route}", "code": refusal.code, "status": refusal.status_code},
    )
    return str(fact["id"]) if strangers.recorded(fact) else ""


def refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """The answer to a refused request, after everything it began was rolled back."""
    context = {"refusal": refusal, "reference": record_refusal(request, refusal), "back": came_from(request)}
    full = WHOLE_PAGES.get(refusal.status_code, "409.html")
    return page(request, full, "_refusal.html", context, status=refusal.status_code)


def form_too_old(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The answer to a form without the token of this sign-in, and the way back to where it stands.

    Every tab that was open before somebody signed in again in another one holds such forms.
    """
    return render(request, "403_csrf.html", {"back": came_from(request)}, status=403)


def csv_file(name: str, header: Iterable[str], lines: Iterable[Iterable[object]]) -> HttpResponse:
    """These rows to be kept under that name."""
    answer = HttpResponse(as_csv(header, lines), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def came_from(request: HttpRequest) -> str:
    """The page of ours that the request was sent from, as a path."""
    try:
        parts = urlsplit(request.headers.get("Referer", ""))
    except ValueError:
        return ""
    if parts.netloc != request.get_host():
        return ""
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def elsewhere(request: HttpRequest, url: str) -> HttpResponse:
    """Send the person to another page, also where htmx asked for a part of this one."""
    answer = HttpResponse(status=204) if is_part(request) else HttpResponse(status=302)
    answer["HX-Redirect" if is_part(request) else "Location"] = url
    return answer


def broken(request: HttpRequest) -> HttpResponse:
    """The answer to what nobody foresaw: a mistake of ours, or a database that is away. The page asks it for nothing."""
    is_away = away.is_away(sys.exc_info()[1])
    answer = HttpResponse(get_template("503.html" if is_away else "500.html").render(), status=503 if is_away else 500)
    if is_away:
        answer["Retry-After"] = RETRY_SECONDS
    return answer


class RefusalMiddleware:
    """A view needs no `try`: what its verb refuses is shown to the asker and recorded; so is what Django's own pages refuse."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, PermissionDenied):
            exception = Forbidden("Your account may not open this page.")
        return refused(request, exception) if isinstance(exception, Refusal) else None


class FormAddressMiddleware:
    """A browser that opens an address which only takes forms is led to the page above it, where the form stands.

    One comes there after a sign-in that ran out on a form that was not taken, with a restored tab, by the address bar.
    Programs are told that the address takes no GET.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        wants_page = "text/html" in request.headers.get("Accept", "") and not is_part(request)
        if isinstance(response, HttpResponseNotAllowed) and request.method in READING and wants_page:
            return HttpResponseRedirect(_page_above(request.path_info))
        return response


def _page_above(path: str) -> str:
    while path != "/":
        path = path[: path.rstrip("/").rindex("/") + 1]
        try:
            resolve(path)
        except Resolver404:
            continue
        break
    return path


class SamePersonMiddleware:
    """A page speaks for whoever it was made for, also after somebody else has signed in in another tab of the browser.

    What it asks for on its own would otherwise be theirs, down to the token of its forms: the next signature typed under
    the one name would count as the other's.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        meant = request.headers.get("X-Person", "")
        if meant and request.user.is_authenticated and meant != str(request.user.pk):
            return render(request, "403_csrf.html", {"back": "", "of_another": True}, status=403)
        return self.get_response(request)


class PrivatePagesMiddleware:
    """What a signed-in person sees is not kept by the browser, nor by anything between us and it."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        user = getattr(request, "user", None)
        if user is not None and user.is_authenticated and not response.has_header("Cache-Control"):
            response["Cache-Control"] = "no-store"
        return response


class SignInMiddleware(LoginRequiredMiddleware):
    """Every page needs a signed-in person unless its view says otherwise.

    A part asked for by htmx must not be answered with a sign-in form inside the page: the browser is sent there, and back.
    """

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponse:  # type: ignore[override]
        return elsewhere(request, _sign_in_url(request))


def _sign_in_url(request: HttpRequest) -> str:
    """Sign-in, and back to the page the person is on: for a POST that is where its form stands."""
    if is_part(request):
        back = request.htmx.current_url_abs_path  # type: ignore[attr-defined]
    else:
        back = request.get_full_path() if request.method in READING else came_from(request)
    query = f"?{urlencode({'next': back})}" if back else ""
    return f"{resolve_url(settings.LOGIN_URL)}{query}"
