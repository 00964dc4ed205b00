"""Who calls: a machine by its bearer token, or a person by the session of their browser, with the CSRF check.

`request.auth` is the Actor that the verbs are called with. A token is looked up anew on every request, so that
revoking it, or disabling its agent, works on the next one.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from audit import actors
from audit.actors import Actor
from orchestrator.operations import tokens


@dataclass(frozen=True, slots=True)
class Machine:
    """The caller behind a token, where Django expects a user."""

    agent: str
    unit_id: UUID
    is_authenticated: bool = True


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer hp_<prefix>_<secret>`."""

    def authenticate(self, request: Request) -> tuple[Machine, Actor] | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        scheme, _, text = header.partition(" ")
        token = tokens.owner_of(text.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            # One sentence for unknown, expired, revoked and disabled: which of them it is helps only a thief.
            raise AuthenticationFailed("This token opens nothing: it is unknown, expired or revoked.", "invalid_token")
        actor = actors.agent(token.agent, unit_ids=frozenset({token.unit_id}), scopes=frozenset(token.scopes))
        return Machine(token.agent, token.unit_id), actor

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="holdpoint"'


class BrowserAuthentication(SessionAuthentication):
    """The signed-in person of this browser. Every method that changes something needs the CSRF token."""

    def authenticate(self, request: Request) -> tuple[Any, Actor] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        user = found[0]
        return user, actors.person(user.pk, user.get_full_name() or user.get_username())
