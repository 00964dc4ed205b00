"""Bypasses in the admin."""

from typing import Any

from django.contrib import admin

from approvals.models import Bypass
from budgets.admin import OptionalUnitAdmin


@admin.register(Bypass)
class BypassAdmin(OptionalUnitAdmin):
    """Drafting is proposing, activating is agreeing, and the second person is never the first."""

    versioned = False
    list_display = ["name", "state", "tool", "agent", "unit", "tier", "ends"]
    fields = ("name", "tool", "agent", "unit_id", "tier", "minutes", "reason")
    who_and_when = (*OptionalUnitAdmin.who_and_when, "ends")
    search_fields = ["name", "tool", "agent", "reason"]

    @admin.display(description="Ends")
    def ends(self, row: Bypass) -> Any:
        return row.ends_at or "when it is activated, its time begins"
