"""Which units may an actor see? The floor asks; whoever owns units registers the answer (budgets does, at start-up)."""

from collections.abc import Callable
from typing import Literal, Self, TypeVar
from uuid import UUID

from django.db import models

from audit.actors import Actor

Row = TypeVar("Row", bound=models.Model)
Permission = Literal["view", "operate", "review", "audit"]
_Resolver = Callable[[Actor, Permission], frozenset[UUID]]
_Everywhere = Callable[[Actor], bool]
_resolver: list[_Resolver] = []
_everywhere: list[_Everywhere] = []


def answer_with(resolver: _Resolver, *, everywhere: _Everywhere) -> None:
    _resolver[:], _everywhere[:] = [resolver], [everywhere]


def unit_ids(actor: Actor, permission: Permission) -> frozenset[UUID]:
    """Ids of the units the actor holds the permission in. Nobody registered means nobody sees anything."""
    if actor.answers is None:
        return _ask(actor, permission)
    if permission not in actor.answers:
        actor.answers[permission] = _ask(actor, permission)
    return actor.answers[permission]


def sees_every_unit(actor: Actor) -> bool:
    """Is there no unit that they do not see? What holds everywhere is theirs to change, and nobody else's."""
    return bool(_everywhere) and _everywhere[0](actor)


def _ask(actor: Actor, permission: Permission) -> frozenset[UUID]:
    return _resolver[0](actor, permission) if _resolver else frozenset()


class OfUnits(models.QuerySet[Row]):
    """Rows that belong to a unit by `unit_id`: the wall between tenants."""

    def visible_to(self, actor: Actor) -> Self:
        return self.filter(unit_id__in=unit_ids(actor, "view"))
