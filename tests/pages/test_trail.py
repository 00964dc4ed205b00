"""The audit log as a page: whom an auditor asks for."""

from uuid import UUID

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


class TestTheHistoryOfOneThing:
    """Where *History* in the admin and *all its entries* lead to."""

    def test_says_that_it_is_no_more_than_that_and_how_one_sees_the_rest(self, kay):
        request = make.request()
        page = browser_of(kay).get(reverse("audit"), {"object": str(request.pk)})

        (chip,) = page.context["chips"]
        assert (chip["label"], chip["value"], chip["url"]) == ("Object", str(request.pk), "/audit/")

    def test_of_nothing_that_is_known_is_not_taken_for_the_whole_log(self, kay):
        make.request()

        assert "not known, not applied" in browser_of(kay).get("/audit/?object=None").content.decode()

    def test_of_which_there_is_nothing_does_not_ask_an_auditor_for_the_role(self, kay, grace):
        pages = [
            browser_of(person).get(reverse("audit"), {"object": str(UUID(int=7))}).content.decode()
            for person in (kay, grace)
        ]

        assert "Nothing you may read matches these filters" in pages[0]
        assert "Reading the trail takes the audit role" in pages[1]


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
