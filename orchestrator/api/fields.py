"""Fields of bodies: a value has the type the document says, nothing is converted, and an unknown name is an error."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from audit.moments import moment

MONEY = re.compile(r"\d{1,10}(\.\d{1,10})?")
AS_MONEY = 'Write the amount as decimal text without a sign, at most ten places before and after the point: "0.0021".'


class Body(serializers.Serializer[Any]):
    """A JSON object whose every name is known."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = {name: [_unknown(name, self.fields)] for name in data if name not in self.fields}
            if unknown:
                raise ValidationError(unknown)
        return super().to_internal_value(data)


def _unknown(name: str, known: Iterable[str]) -> ErrorDetail:
    close = get_close_matches(name, list(known), n=1)
    hint = f"Did you mean {close[0]}?" if close else f"Fields: {', '.join(known)}."
    return ErrorDetail(f"There is no such field. {hint}", code="unknown_field")


class Text(serializers.CharField):
    """Text as it is: not trimmed, and not made of a number."""

    def __init__(self, *, max_length: int, **more: Any) -> None:
        super().__init__(max_length=max_length, trim_whitespace=False, **more)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    """A whole number, not text that looks like one."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    """True or false, not a word for it."""

    def to_internal_value(self, data: Any) -> bool:
        if type(data) is not bool:
            self.fail("invalid", input=data)
        return data


class Id(serializers.UUIDField):
    """A UUID in its usual spelling."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class Money(serializers.DecimalField):
    """An amount as decimal text: JSON numbers are binary, and money is not."""

    def __init__(self, **more: Any) -> None:
        super().__init__(max_digits=20, decimal_places=10, **more)

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        # DecimalField takes an empty text for "no amount"; here only null is that.
        return serializers.Field.validate_empty_values(self, data)

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or not MONEY.fullmatch(data):
            raise ValidationError(AS_MONEY, code="invalid")
        return super().to_internal_value(data)


class Moment(serializers.DateTimeField):
    """A time with its offset (RFC 3339)."""

    def to_internal_value(self, value: Any) -> datetime:
        found = moment(value) if isinstance(value, str) else None
        if found is None:
            raise ValidationError("Write the time as RFC 3339: 2026-01-31T12:00:00Z.", code="invalid")
        return found


@extend_schema_field({"type": "object", "additionalProperties": True})
class Object(serializers.JSONField):
    """Any JSON object."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValidationError("This must be a JSON object.", code="invalid")
        return data


@extend_schema_field({})
class Anything(serializers.JSONField):
    """Any JSON value."""


def read(body: type[Body], data: Any) -> dict[str, Any]:
    """The checked fields of a body. Raises DRF's ValidationError, which becomes a problem with pointers."""
    serializer = body(data=data)
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data  # type: ignore[no-any-return]
