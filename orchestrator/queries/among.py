"""Rows by a set of keys that is read first, whatever the planner thinks of its size: to find each, or to look others up in it."""

from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.db.models import BooleanField, F, Func, QuerySet, Subquery, UUIDField, Value

# What PostgreSQL allows a hash by default has room for so many keys.
ROOM = 200_000


class Among(Func):
    """True of a key that is one of an array's: the array is made once, and each of its keys found by index."""

    template = "%(expressions)s)"
    arg_joiner = " = ANY ("
    output_field = BooleanField()


def among(ids: QuerySet[Any] | list[UUID], key: str = "pk") -> Among:
    array = Value(ids, ArrayField(UUIDField())) if isinstance(ids, list) else ArraySubquery(ids)
    return Among(F(key), array)


class Kept(Func):
    """True of a key that is in a set, which is kept as a hash. PostgreSQL turns a bare IN into a join, but none with IS TRUE."""

    template = "(%(expressions)s) IS TRUE"
    arg_joiner = " IN "
    output_field = BooleanField()


def kept(ids: QuerySet[Any], key: str = "pk") -> Kept:
    """Of at most ROOM ids. The limit tells the planner that a hash is possible, whatever its statistics say."""
    return Kept(F(key), Subquery(ids[:ROOM]))
