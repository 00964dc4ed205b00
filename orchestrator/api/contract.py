"""What OpenAPI says of every operation alike: its door, its query, its key, and the one shape of all errors."""

from typing import Any, cast

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "urn:holdpoint:problem:<code>"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, for people"},
        "instance": {"type": "string", "description": "The audit event of this refusal, or the address"},
        "code": {"type": "string", "description": "What is wrong, for programs"},
        "remedy": {"type": "string"},
        "current": {
            "type": "object",
            "description": "Of `changed_since_viewed`: what waits now, and JSON pointers to where it differs",
            "properties": {
                "revision": {"type": "integer"},
                "digest": {"type": "string"},
                "changed": {"type": "array", "items": {"type": "string"}},
            },
        },
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("pointer", "code", "message")},
            },
        },
    },
}
KEY = OpenApiParameter(
    "Idempotency-Key", str, "header", description="1 to 255 visible ASCII characters. Kept 30 days with the answer."
)
REPLAYED = OpenApiParameter(
    "Idempotency-Replayed", str, "header", enum=["true"], response=[200, 201],
    description="The stored answer to an earlier request with this key",
)  # fmt: skip
ETAG = OpenApiParameter("ETag", str, "header", response=[200, 201], description="For `If-Match`: what is decided on")
ASK_AGAIN = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds, where time alone will mend it"}}
ANYTHING_OR_NULL = [{}, {"type": "null"}]
PAGING = [
    OpenApiParameter("limit", int, description="At most 200"),
    OpenApiParameter("cursor", str, description="From `next` or `previous`"),
    OpenApiParameter("count", int, enum=[1], description="Also count the rows, up to 10,000"),
]


def listing(shape: type[serializers.BaseSerializer[Any]]) -> Any:
    """One page of a list."""
    return inline_serializer(
        f"{shape.__name__}Page",
        {
            "results": shape(many=True),
            "next": serializers.URLField(allow_null=True),
            "previous": serializers.URLField(allow_null=True),
            "count": serializers.IntegerField(required=False),
        },
    )


class ContractSchema(AutoSchema):
    """Adds what no view should have to repeat."""

    def _is_list_view(self, serializer: Any = None) -> bool:
        return False  # our lists are objects with a `results`, described by listing()

    def get_operation_id(self) -> str:
        """A list and one of its rows need names of their own."""
        name: str = super().get_operation_id()
        listed = self.method == "GET" and getattr(self.view, "filters", None) is not None
        return f"{name.removesuffix('_retrieve')}_list" if listed else name

    def get_override_parameters(self) -> list[Any]:
        view = cast(Any, self.view)
        tagged = [ETAG] if view.has_etag else []
        if self.method == "POST":
            return [*tagged, KEY, REPLAYED] if view.keeps_replies else tagged
        filters = [OpenApiParameter(name, str) for name in view.filters or ()]
        return tagged if view.filters is None else [*tagged, *PAGING, *filters]

    def get_auth(self) -> Any:
        """Of the schemes there are, those that the door opens to."""
        door = cast(Any, self.view).doors[self.method]
        opens = {"token": bool(door.scopes), "session": door.people}
        return [scheme for scheme in super().get_auth() if all(opens[name] for name in scheme)]

    def get_description(self) -> str:  # type: ignore[override]
        door = cast(Any, self.view).doors[self.method]
        machines = f"Tokens with the scope {' or '.join(f'`{scope}`' for scope in door.scopes)}" if door.scopes else ""
        return ". ".join(filter(None, [machines, "Signed-in people" if door.people else ""])) + "."

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation:
            content = {"application/problem+json": {"schema": PROBLEM}}
            said = {"description": "A problem document (RFC 9457)", "headers": ASK_AGAIN, "content": content}
            operation["responses"]["default"] = said
        return operation


def let_anything_be_null(result: Any, **_: Any) -> Any:
    """The generator says of JSON that may be null: exactly one of anything and null. Null is both, so it would never fit."""
    todo = [result]
    while todo:
        inner = todo.pop()
        if isinstance(inner, dict):
            if inner.get("oneOf") == ANYTHING_OR_NULL:
                del inner["oneOf"]
            todo.extend(inner.values())
        elif isinstance(inner, list):
            todo.extend(inner)
    return result
