"""Who is in which group, as it is in force now: asked at every decision and again at dispatch."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import TextField
from django.db.models.functions import Cast

from approvals.models import ReviewerGroup


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups in force among some names: their members and titles. A name without a group has neither."""

    members: dict[str, frozenset[int]]
    titles: dict[str, str]

    def of(self, user_id: int | None) -> frozenset[str]:
        return frozenset(name for name, members in self.members.items() if user_id in members)


NOBODY = Groups({}, {})


def in_force(names: Iterable[str]) -> Groups:
    """One query, and none when no group is named."""
    wanted = set(names) - {""}
    if not wanted:
        return NOBODY
    rows = ReviewerGroup.objects.active().filter(name__in=wanted)
    return Groups({row.name: frozenset(row.member_ids) for row in rows}, {row.name: row.title for row in rows})


def of_people(user_ids: Iterable[int | None]) -> ArraySubquery:
    """Names of every group in force one of these accounts is a member of, inside the statement that asks."""
    known = sorted({pk for pk in user_ids if pk is not None})
    theirs = ReviewerGroup.objects.active().filter(member_ids__overlap=known)
    return ArraySubquery(theirs.annotate(called=Cast("name", TextField())).values("called"))


def names_of(user_id: int | None) -> Any:
    """The same of one account, as a subquery of rows."""
    return ReviewerGroup.objects.active().filter(member_ids__contains=[user_id]).values("name")
