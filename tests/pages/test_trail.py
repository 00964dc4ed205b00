"""The audit log as a page: whom an auditor asks for."""

import pytest
from django.urls import reverse

from audit.models import AuditEvent
from tests import make
from tests.operations.test_verify_audit import as_owner, sql
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


class TestAnEntryWhoseTimeCannotBeRead:
    @pytest.mark.parametrize("time", ["infinity", "-infinity"])
    def test_is_said_to_be_there_and_hides_no_other(self, kay, grace, time):
        request = make.approved(make.request(), grace)
        told = AuditEvent.objects.filter(object_id=request.pk).count()
        with as_owner("audit_auditevent"):
            sql(
                "UPDATE audit_auditevent SET at = %s WHERE object_id = %s AND event LIKE %s",
                time,
                request.pk,
                "%.pending",
            )

        page = browser_of(kay).get(reverse("audit"), {"object": str(request.pk)})

        assert page.status_code == 200
        assert "An entry has a time that no clock has ever said" in page.content.decode()
        assert len(page.context["listing"].told) == told - 1
