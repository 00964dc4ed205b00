"""Every error of the API as an RFC 9457 problem document: what, why, and what to do about it. Never HTML.

A refused request is recorded in the audit trail here, after everything it began was rolled back.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from math import ceil
from typing import Any
from uuid import UUID

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFilesSent,
    ValidationError,
)
from django.db import DataError, IntegrityError, InternalError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.utils.encoding import escape_uri_path
from rest_framework import exceptions
from rest_framework.views import APIView

from audit import actors, events, strangers
from audit.away import first_line, is_away
from audit.pointers import pointer_to
from audit.refusals import Invalid, Refusal
from audit.web import RETRY_SECONDS

logger = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
API = "/api/"
Errors = list[dict[str, str]]

# What our own code does not raise, but Django, DRF and the database do: (status, code, detail).
OTHERS: list[tuple[type[Exception], int, str, str]] = [
    (Http404, 404, "not_found", "There is nothing at this address, or nothing you may see."),
    (PermissionDenied, 403, "forbidden", "You may not do this."),
    (RequestDataTooBig, 413, "body_too_large", "The body is larger than 1,048,576 bytes."),
    (TooManyFilesSent, 400, "bad_request", "The API takes JSON only."),
    (SuspiciousOperation, 400, "bad_request", "The request could not be understood."),
    (UnreadablePostError, 400, "bad_request", "The body ended before its announced length."),
    (ValidationError, 422, "invalid", "A value cannot be used."),
    (DataError, 422, "cannot_be_stored", "A value is outside of what can be stored."),
]
CONFLICT = "Somebody did the same at the same moment. Nothing was recorded."
BUSY = "The database did not answer in time. Under an Idempotency-Key it is safe to send this again."
BUG = "This is our mistake. It was logged."
# What Django answers by a page before a view was found, or after one was left.
PAGES = {503: ("busy", BUSY), 500: ("bug", BUG)}
# Refusals that time alone will mend.
ASK_AGAIN = {"still_running": RETRY_SECONDS, "stopped": "5"}


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    instance: str,
    remedy: str = "",
    errors: Errors | None = None,
    headers: dict[str, str] | None = None,
    members: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """One problem document. `code` is stable and for programs; `detail` and `remedy` are for people."""
    body: dict[str, Any] = {
        "type": f"urn:holdpoint:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "instance": escape_uri_path(instance),
        "code": code,
        **(members or {}),
    }
    if remedy:
        body["remedy"] = remedy
    if errors:
        body["errors"] = errors
    return HttpResponse(json.dumps(body), status=status, content_type=MEDIA_TYPE, headers=headers or {})


def problem_response(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """DRF's exception handler. Knows every error: what nobody foresaw is a bug, logged, and still a problem document."""
    request = context["request"]
    if isinstance(error, Refusal):
        return _refused(error, request, context)
    if isinstance(error, exceptions.ValidationError):
        return _refused(_as_refusal(error), request, context)
    if isinstance(error, exceptions.APIException):
        return _from_drf(error, request, context)
    return _from_elsewhere(error, request)


def _from_elsewhere(error: Exception, request: Any) -> HttpResponse:
    if is_away(error):
        return _worth_asking_again(error, request, 503, "busy", BUSY)
    if isinstance(error, IntegrityError):
        return _worth_asking_again(error, request, 409, "conflict", CONFLICT)
    for kind, status, code, detail in OTHERS:
        if isinstance(error, kind):
            return problem(status, code, detail, instance=request.path)
    logger.exception("%s %s", request.method, request.path, exc_info=error)
    return problem(500, "bug", BUG, instance=request.path)


def _worth_asking_again(error: Exception, request: Any, status: int, code: str, detail: str) -> HttpResponse:
    logger.warning("%s %s: %s", request.method, request.path, first_line(error))
    return problem(status, code, detail, instance=request.path, headers={"Retry-After": RETRY_SECONDS})


def _refused(refusal: Refusal, request: Any, context: dict[str, Any]) -> HttpResponse:
    errors = [
        {"pointer": pointer, "code": code, "message": message}
        for pointer, code, message in (refusal.errors if isinstance(refusal, Invalid) else [])
    ]
    return problem(
        refusal.status_code, refusal.code, refusal.message, instance=_recorded(refusal.code, request, context),
        remedy=refusal.remedy, errors=errors,
        headers=_ask_again(refusal), members=refusal.members,
    )  # fmt: skip


def _ask_again(refusal: Refusal) -> dict[str, str]:
    """When asking again makes sense, where somebody knows: whole seconds, rounded up (RFC 9110, 10.2.3)."""
    if refusal.retry_after is not None:
        return {"Retry-After": str(ceil(refusal.retry_after))}
    return {"Retry-After": ASK_AGAIN[refusal.code]} if refusal.code in ASK_AGAIN else {}


def _from_drf(error: exceptions.APIException, request: Any, context: dict[str, Any]) -> HttpResponse:
    code, headers = _code(error), {}
    if header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = f'{header}, error="invalid_token"' if code == "invalid_token" else header
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait) + 1)
    worth_a_line = code in {"invalid_token", "permission_denied"}
    instance = _recorded(code, request, context) if worth_a_line else request.path
    return problem(error.status_code, code, str(error.detail), instance=instance, headers=headers)


def _code(error: exceptions.APIException) -> str:
    return str(getattr(error.detail, "code", error.default_code))


def _recorded(code: str, request: Any, context: dict[str, Any]) -> str:
    """Leave a trace of the "no": who, which route, which code; never what was sent. A reference to it, as a URN.

    What a stranger is refused leaves only its number where it is one of too many: then the address stands for it.
    """
    actor = getattr(request, "_auth", None) or actors.ANYONE
    match = request.resolver_match
    fact = events.fact(
        "request.refused", by=actor, why=code, unit_id=_unit_of(actor),
        data={"route": f"{request.method} /{match.route if match else '?'}", "code": code},
    )  # fmt: skip
    try:
        told = strangers.recorded(fact)
    except (OperationalError, InternalError, DataError) as error:
        logger.warning("A refusal could not be recorded: %s", first_line(error), exc_info=not is_away(error))
        told = False
    return f"urn:uuid:{fact['id']}" if told else str(request.path)


def _unit_of(actor: actors.Actor) -> UUID | None:
    """Of a token: whose units a person asked in is not known here."""
    return next(iter(actor.unit_ids), None) if not actor.is_person and len(actor.unit_ids) == 1 else None


def _as_refusal(error: exceptions.ValidationError) -> Invalid:
    errors = list(_flat(error.detail, ""))
    first = f"{errors[0][0] or 'The body'}: {errors[0][2]}" if errors else "The body cannot be used."
    return Invalid(first, errors=errors)


def _flat(detail: Any, pointer: str) -> Iterator[tuple[str, str, str]]:
    """DRF's nested errors as (JSON pointer, code, message)."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _flat(inner, pointer if name == "non_field_errors" else f"{pointer}{pointer_to([name])}")
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            yield from _flat(inner, f"{pointer}/{index}" if isinstance(inner, dict) else pointer)
    else:
        yield pointer, str(getattr(detail, "code", "invalid")), str(detail)


class UnknownAddress(APIView):
    """Whatever under the API's base no view answers."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        raise Http404


class ProblemMiddleware:
    """The last resort: an error page that Django made itself, before a view was found, is still a problem document."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_page = response.get("Content-Type", "").startswith("text/html")
        if response.status_code < 400 or not is_page or not request.path_info.startswith(API):
            return response
        code, detail = PAGES.get(response.status_code, ("bad_request", response.reason_phrase))
        headers = {"Retry-After": RETRY_SECONDS} if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE else {}
        return problem(response.status_code, code, detail, instance=request.path, headers=headers)
