"""`bulk-operations/`: a person's own, to be read.

Choosing and confirming is done on a page that shows a person every item, so no address of the API does it.
"""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from approvals.models import BulkItem, BulkOperation
from approvals.queries.bulk import bulk_page
from orchestrator.api.base import PEOPLE, ApiView, actor_of
from orchestrator.api.contract import listing
from orchestrator.api.lists import Cursors, page_of, refuse_unknown_parameters

NEWEST_FIRST = Cursors(("-created_at", "-id"))
FIELDS = ("id", "act", "status", "reason_code", "note", "created_at", "confirmed_at", "finished_at")


class BulkItemShape(serializers.ModelSerializer[BulkItem]):
    """One request of it: `outcome` is empty while nothing has been tried, `why` says why it was left out or refused."""

    approval = serializers.UUIDField(source="request_id")

    class Meta:
        model = BulkItem
        fields = ("approval", "place", "digest", "revision", "outcome", "why", "at")


class BulkShape(serializers.ModelSerializer[BulkOperation]):
    status = serializers.CharField()

    class Meta:
        model = BulkOperation
        fields = FIELDS


class BulkPageShape(BulkShape):
    items = serializers.SerializerMethodField()

    class Meta:
        model = BulkOperation
        fields = (*FIELDS, "items")

    @extend_schema_field(BulkItemShape(many=True))
    def get_items(self, operation: BulkOperation) -> Any:
        return BulkItemShape(self.context["items"], many=True).data


class BulkOperations(ApiView):
    doors = {"GET": PEOPLE}
    filters: ClassVar[Mapping[str, Any] | None] = {}

    @extend_schema(responses=listing(BulkShape), summary="List one's own bulk operations, newest first")
    def get(self, request: Request) -> Response:
        rows = BulkOperation.objects.filter(person_id=actor_of(request).user_id)
        return page_of(request, rows, NEWEST_FIRST, {}, lambda found: list(BulkShape(found, many=True).data))


class OneBulkOperation(ApiView):
    doors = {"GET": PEOPLE}

    @extend_schema(responses=BulkPageShape, summary="Read the preview or the result of a bulk operation")
    def get(self, request: Request, operation_id: UUID) -> Response:
        refuse_unknown_parameters(request)
        found = bulk_page(actor_of(request), operation_id)
        items = [row.item for row in found.rows]
        return Response(BulkPageShape(found.operation, context={"items": items}).data)
