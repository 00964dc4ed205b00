"""Rows by a set of keys that is read first, whatever the planner thinks of its size."""

from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.db.models import BooleanField, F, Func, QuerySet, UUIDField, Value


class Among(Func):
    """True of a key that is one of an array's: the array is made once, and each of its keys found by index."""

    template = "%(expressions)s)"
    arg_joiner = " = ANY ("
    output_field = BooleanField()


def among(ids: QuerySet[Any] | list[UUID], key: str = "pk") -> Among:
    array = Value(ids, ArrayField(UUIDField())) if isinstance(ids, list) else ArraySubquery(ids)
    return Among(F(key), array)
