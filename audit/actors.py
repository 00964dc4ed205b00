"""Who did it. An actor is passed to every verb; there is no ambient "current user" anywhere."""

from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

Kind = Literal["person", "agent", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, an agent (by token) or a part of the system. `key` is stable, `name` is what people read."""

    key: str
    name: str
    kind: Kind
    user_id: int | None = None
    # Units an agent's token is bound to. People's units come from their permissions instead.
    unit_ids: frozenset[UUID] = frozenset()
    scopes: frozenset[str] = frozenset()
    # A page asks the same question many times; it passes a dict, and audit.scope keeps its answers there. A verb does not.
    answers: dict[str, frozenset[Any]] | None = field(default=None, compare=False, repr=False)

    @property
    def is_person(self) -> bool:
        return self.kind == "person"


def person(user_id: int, name: str, *, answers: dict[str, frozenset[Any]] | None = None) -> Actor:
    return Actor(key=f"user:{user_id}", name=name, kind="person", user_id=user_id, answers=answers)


def agent(name: str, *, unit_ids: frozenset[UUID], scopes: frozenset[str]) -> Actor:
    return Actor(key=f"agent:{name}", name=name, kind="agent", unit_ids=unit_ids, scopes=scopes)


def system(part: str) -> Actor:
    return Actor(key=f"system:{part}", name=part, kind="system")


ANYONE = Actor(key="anonymous", name="not signed in", kind="system")
