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
        if self.method == "POST":
            return [KEY]
        filters = getattr(self.view, "filters", None)
        return [*PAGING, *(OpenApiParameter(name, str) for name in filters)] if filters is not None else []

    def get_description(self) -> str:  # type: ignore[override]
        door = cast(Any, self.view).doors[self.method]
        machines = f"Tokens with the scope {' or '.join(f'`{scope}`' for scope in door.scopes)}" if door.scopes else ""
        return ". ".join(filter(None, [machines, "Signed-in people" if door.people else ""])) + "."

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation:
            content = {"application/problem+json": {"schema": PROBLEM}}
            operation["responses"]["default"] = {"description": "A problem document (RFC 9457)", "content": content}
        return operation
