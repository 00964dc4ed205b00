"""A budget, typed into the admin: of one release by its whole digest, drafted by one person, put in force by another."""

import pytest
from django.urls import reverse

from budgets.models import Budget
from tests import make
from tests.pages.test_admin import administrator, verb

ADD = "admin:budgets_budget_add"
TYPED = {
    "name": "pilot", "unit_id": "", "workflow": "", "agent": "", "requester": "", "release": "", "measure": "tokens",
    "currency": "", "limit": "1000", "window": "month", "thresholds": "80,100", "is_hard": "on", "assumed": "", "why": "a pilot",
}  # fmt: skip


class TestABudgetOfARelease:
    def test_is_drafted_by_its_digest_and_says_on_the_page_what_it_covers(self, unit):
        first, second = administrator("ann", unit), administrator("bob", unit)
        digest = make.execution().release.digest
        first.post(reverse(ADD), {**TYPED, "unit_id": unit.pk, "release": f" {digest.upper()} "})
        row = Budget.objects.get()
        verb(first, row, "activate")
        row.refresh_from_db()
        assert (row.release, row.status) == (digest, "draft")

        verb(second, row, "activate")

        assert f"release {digest[:8]}" in first.get("/budgets/").content.decode()
        assert first.get("/api/v1/budgets/").json()["results"][0]["release"] == digest

    @pytest.mark.parametrize("typed", ["1.0.0", "abcdef12", "z" * 64])
    def test_is_refused_where_that_is_no_whole_digest(self, unit, typed):
        page = administrator("ann", unit).post(reverse(ADD), {**TYPED, "release": typed}).content.decode()

        assert "Copy the whole digest, 64 characters, from the page of an execution." in page
        assert not Budget.objects.exists()
