"""What every view of the API shares: who may come through which door, JSON always, and the actor who asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from rest_framework.exceptions import APIException, MethodNotAllowed
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from audit.actors import Actor
from audit.refusals import Forbidden
from orchestrator.api.contract import ContractSchema


@dataclass(frozen=True, slots=True)
class Door:
    """Who may use one method of one address: tokens with any of these scopes, signed-in people, or both."""

    scopes: tuple[str, ...] = ()
    people: bool = True


def machines(*scopes: str) -> Door:
    return Door(scopes, people=False)


def either(*scopes: str) -> Door:
    return Door(scopes)


PEOPLE = Door()


class ThroughItsDoor(BasePermission):
    """A token has one of the scopes the door asks for; where it asks for none, only people come through."""

    def has_permission(self, request: Request, view: Any) -> bool:
        door: Door | None = view.doors.get("GET" if request.method == "HEAD" else request.method)
        if door is None:
            raise MethodNotAllowed(request.method or "")
        actor = actor_of(request)
        if actor.is_person and not door.people:
            raise Forbidden(
                "Only machines do this, with a token.", code="machines_only",
                remedy="Issue one with `manage.py token`.",
            )  # fmt: skip
        if not actor.is_person and not door.scopes:
            raise Forbidden("Only people do this, signed in with a browser.", code="people_only")
        if not actor.is_person and not actor.scopes & set(door.scopes):
            wanted = " or ".join(door.scopes)
            raise Forbidden(
                f"The token lacks the scope {wanted}.", code="missing_scope",
                remedy=f"Ask for a token with the scope {wanted}.",
            )  # fmt: skip
        return True


class AlwaysJSON(BaseContentNegotiation):
    """Whatever the Accept header says: there is one representation."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return next((parser for parser in parsers if _is_json(request.content_type or "")), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"


class LengthRequired(APIException):
    status_code = 411
    default_detail = "Send the body with its Content-Length, not in chunks."
    default_code = "length_required"


def is_chunked(request: Request) -> bool:
    return "Transfer-Encoding" in request.headers and "Content-Length" not in request.headers


class ApiView(APIView):
    """One address. `doors` says per method who may come in; a method without a door does not exist."""

    doors: ClassVar[Mapping[str, Door]] = {}
    # What a list can be narrowed by; None for addresses that are no lists.
    filters: ClassVar[Mapping[str, Any] | None] = None
    # What the contract says of its answers: an ETag, and that a POST's is kept for its Idempotency-Key.
    has_etag: ClassVar[bool] = False
    keeps_replies: ClassVar[bool] = True
    # Whether the view reads a body in chunks by itself, where the server says when it ends.
    reads_chunks: ClassVar[bool] = False
    schema = ContractSchema()
    permission_classes = (IsAuthenticated, ThroughItsDoor)
    content_negotiation_class = AlwaysJSON
    http_method_names = ("get", "post", "head")

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # Django reads no chunked body: taking it for an empty one would blame the sender for missing fields.
        if is_chunked(request) and not (self.reads_chunks and request.META.get("wsgi.input_terminated")):
            raise LengthRequired
        super().initial(request, *args, **kwargs)


def actor_of(request: Request) -> Actor:
    """Who asks, as the verbs want it."""
    return cast(Actor, request.auth)
