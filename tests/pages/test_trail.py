"""The audit log as a page: whom an auditor asks for."""

import pytest
from django.urls import reverse

from tests import make
from tests.pages.asking import browser_of


class TestWho:
    @pytest.fixture
    def renamed(self, unit, grace):
        """Grace has signed, and is called otherwise since; somebody else has got her old name."""
        make.approved(make.request(), grace)
        grace.username = "hopper"
        grace.save()
        other = make.person("grace", "view", "review", "operate", of=unit)
        make.approved(make.request(), other)
        return grace

    def test_is_found_by_account_whatever_it_was_called(self, kay, renamed):
        rows = {
            who: browser_of(kay)
            .get(reverse("audit"), {"actor": who, "kind": "approval_request"})
            .context["listing"]
            .told
            for who in (f"user:{renamed.pk}", "grace")
        }

        assert {told.event.actor for told in rows[f"user:{renamed.pk}"]} == {f"user:{renamed.pk}"}
        assert len({told.event.actor for told in rows["grace"]}) == 2
