"""Stopping from any item, the band on every page, the list, and lifting; for whoever may, and refused to whoever may not."""

import pytest
from django.urls import reverse

from approvals.models import Stop, StopScope
from approvals.operations import stops
from approvals.operations.stops import Target
from audit.models import AuditEvent
from tests import make
from tests.pages.asking import PART, browser_of

REASON = "It pays every invoice twice"


def stopped(ada, unit, **target):
    chosen = {"scope": StopScope.UNIT, "unit_id": unit.pk, **target}
    return stops.engage(target=Target(**chosen), by=make.actor(ada), reason=REASON)


def text(answer):
    return answer.content.decode()


class TestEveryItem:
    @pytest.fixture
    def items(self, unit, ada):
        letter = make.dead_letter(by=ada)
        request = make.request()
        return [
            request.get_absolute_url(),
            reverse("action", args=[request.subject_id]),
            letter.get_absolute_url(),
            letter.execution.get_absolute_url(),
        ]

    def test_leads_an_operator_to_the_stop_of_its_agent_in_one_click(self, items, as_ada, unit):
        for address in items:
            page = text(as_ada.get(address))
            link = page.split('href="/stops/new/?')[1].split('"')[0].replace("&amp;", "&")

            form = text(as_ada.get(f"/stops/new/?{link}"))
            assert (
                'value="agent" required id="id_what_0" checked' in form or 'value="agent"' in form.split("checked")[0]
            )
            assert REASON not in form

    def test_offers_it_to_no_reviewer(self, items, as_grace):
        for address in items:
            assert "/stops/new/?" not in text(as_grace.get(address))


class TestEngaging:
    def test_takes_what_and_why(self, as_ada, unit):
        make.agent()
        answer = as_ada.post(
            reverse("stop_new"), {"what": "agent", "agent": "poster", "unit": str(unit.pk), "reason": REASON}
        )

        stop = Stop.objects.get()
        assert (answer.status_code, answer["Location"]) == (302, stop.get_absolute_url())
        assert (stop.scope, stop.agent, stop.unit_id) == ("agent", "poster", unit.pk)

    @pytest.mark.parametrize(
        ("missing", "says"),
        [
            ("reason", "Say why."),
            ("agent", "Choose the agent."),
            ("what", "Choose what to stop."),
            ("unit", "Choose where the agent is stopped."),
        ],
    )
    def test_says_what_is_missing_and_keeps_the_rest(self, as_ada, unit, missing, says):
        make.agent()
        typed = {"what": "agent", "agent": "poster", "unit": str(unit.pk), "reason": REASON}

        answer = as_ada.post(reverse("stop_new"), {**typed, missing: ""})

        assert answer.status_code == 422
        assert says in text(answer)
        assert missing == "reason" or REASON in text(answer)
        assert not Stop.objects.exists()

    def test_everything_is_not_offered_to_an_operator_and_refused_when_posted(self, as_ada, unit):
        assert "Everything, in every" not in text(as_ada.get(reverse("stop_new")))
        assert as_ada.post(reverse("stop_new"), {"what": "everything", "reason": REASON}).status_code == 422
        assert not Stop.objects.exists()

    def test_is_not_offered_to_whoever_operates_nothing(self, as_grace, unit):
        assert "You may not stop anything" in text(as_grace.get(reverse("stop_new")))
        posted = {"what": "unit", "unit": str(unit.pk), "reason": REASON}
        assert as_grace.post(reverse("stop_new"), posted).status_code == 422

    def test_never_happens_on_a_get(self, as_ada, unit):
        as_ada.get(reverse("stop_new"), {"what": "unit", "unit": str(unit.pk), "reason": REASON})

        assert not Stop.objects.exists()


class TestTheBand:
    PAGES = ["work", "approvals", "executions", "actions", "dead_letters", "stops", "help", "preferences"]

    @pytest.mark.parametrize("name", PAGES)
    def test_stands_on_every_page_of_whoever_sees_the_unit(self, as_grace, ada, unit, name):
        stopped(ada, unit)

        page = text(as_grace.get(reverse(name)))
        assert "Stopped now" in page
        assert REASON in page

    def test_stands_on_no_page_of_anybody_else(self, as_eve, ada, unit):
        stopped(ada, unit)

        assert "Stopped now" not in text(as_eve.get(reverse("work")))

    def test_reaches_whoever_sees_only_a_unit_below(self, ada, unit):
        below = make.unit("below", "Below", parent=unit)
        stopped(ada, unit)

        assert "Stopped now" in text(browser_of(make.person("zoe", "view", of=below)).get(reverse("work")))

    def test_stands_in_the_admin_too(self, ada, unit):
        stopped(ada, unit)
        root = make.person("root", "view", of=unit, staff=True)

        assert REASON in text(browser_of(root).get(reverse("admin:index")))

    def test_stands_beside_the_state_of_agents_and_tools_in_the_admin(self, ada, unit):
        from django.contrib.auth.models import Permission

        stopped(ada, unit, scope=StopScope.AGENT, agent="poster")
        stopped(ada, unit, scope=StopScope.TOOL, tool="erp.post_adjustment")
        root = make.person("root", "view", of=unit, staff=True)
        root.user_permissions.set(Permission.objects.filter(codename__in=["view_agent", "view_tool"]))
        rows = {"agent": make.agent(), "tool": make.tool()}

        for kind, row in rows.items():
            page = text(browser_of(root).get(reverse(f"admin:orchestrator_{kind}_change", args=[row.pk])))
            assert "in Finance and below" in page.split("Stopped:")[-1]
            assert "in Finance and below" in text(
                browser_of(root).get(reverse(f"admin:orchestrator_{kind}_changelist"))
            )

    def test_names_three_and_counts_the_rest(self, as_ada, ada, unit):
        for name in "abcde":
            stopped(ada, unit, scope=StopScope.AGENT, agent=name)

        assert "and 2 more" in text(as_ada.get(reverse("work")))

    def test_is_asked_for_again_and_answers_only_news(self, as_ada, ada, unit):
        empty = as_ada.get(reverse("stop_band"), headers=PART)
        version = text(empty).split('data-live-version="')[1].split('"')[0]
        poll = {**PART, "X-Live": "1", "If-None-Match": f'"{version}"'}

        assert as_ada.get(reverse("stop_band"), headers=poll).status_code == 204
        stopped(ada, unit)
        assert REASON in text(as_ada.get(reverse("stop_band"), headers=poll))

    def test_shows_a_reason_as_text(self, as_ada, ada, unit):
        stops.engage(
            target=Target(scope=StopScope.UNIT, unit_id=unit.pk), by=make.actor(ada), reason="<b>bold</b> \u202eevil"
        )

        page = text(as_ada.get(reverse("work")))
        assert "&lt;b&gt;bold" in page
        assert "RIGHT-TO-LEFT OVERRIDE" in page


class TestOneStop:
    def test_counts_what_waits_for_it(self, as_ada, ada, unit):
        make.request()
        stop = stopped(ada, unit)

        page = text(as_ada.get(stop.get_absolute_url()))
        assert "1 whose clocks stand still" in page
        assert REASON in page

    def test_is_lifted_with_a_reason(self, as_ada, ada, unit):
        stop = stopped(ada, unit)

        short = as_ada.post(reverse("stop_lifts", args=[stop.pk]), {"reason": "ok"})
        lifted = as_ada.post(reverse("stop_lifts", args=[stop.pk]), {"reason": "The release was rolled back"})

        assert (short.status_code, lifted.status_code) == (422, 302)
        stop.refresh_from_db()
        assert (stop.status, stop.lifted_why) == ("lifted", "The release was rolled back")
        assert "The release was rolled back" in text(as_ada.get(reverse("stops")))

    def test_is_not_lifted_by_a_reviewer(self, as_grace, ada, unit):
        stop = stopped(ada, unit)

        assert "Lift the stop" not in text(as_grace.get(stop.get_absolute_url()))
        answer = as_grace.post(reverse("stop_lifts", args=[stop.pk]), {"reason": "The release was rolled back"})
        assert answer.status_code == 403
        assert AuditEvent.objects.filter(event="request.refused", why="not_an_operator").exists()

    def test_is_not_there_for_a_stranger(self, as_eve, ada, unit):
        stop = stopped(ada, unit)

        assert as_eve.get(stop.get_absolute_url()).status_code == 404
        assert (
            as_eve.post(reverse("stop_lifts", args=[stop.pk]), {"reason": "The release was rolled"}).status_code == 404
        )
        assert REASON not in text(as_eve.get(reverse("stops")))

    def test_is_not_there_without_signing_in(self, client, ada, unit):
        assert client.get(stopped(ada, unit).get_absolute_url()).status_code == 302


class TestTheReviewPage:
    def test_says_frozen_since_when_and_by_whom_and_that_approving_waits(self, as_grace, ada, unit):
        request = make.request()
        stopped(ada, unit)

        page = text(as_grace.get(request.get_absolute_url()))
        assert "Frozen since" in page
        assert "by ada" in page
        assert "Nobody can approve this until" in page

    def test_refuses_to_approve_and_keeps_what_was_typed(self, as_grace, ada, unit):
        request = make.request()
        stopped(ada, unit)

        answer = as_grace.post(reverse("approval_decisions", args=[request.pk]), {
            "digest": request.digest, "revision": request.revision, "verdict": "approve",
            "reason_code": "evidence_checked", "note": "I compared the invoice",
        })  # fmt: skip

        assert answer.status_code == 409
        assert "rejecting is possible" in text(answer)
        assert "I compared the invoice" in text(answer)

    def test_lets_reject(self, as_grace, ada, unit):
        request = make.request()
        stopped(ada, unit)

        as_grace.post(reverse("approval_decisions", args=[request.pk]), {
            "digest": request.digest, "revision": request.revision, "verdict": "reject", "reason_code": "not_allowed",
        })  # fmt: skip

        request.refresh_from_db()
        assert request.status == "rejected"

    def test_marks_frozen_requests_in_the_queue(self, as_grace, ada, unit):
        make.request()
        stopped(ada, unit)

        assert "frozen" in text(as_grace.get(reverse("approvals")))
