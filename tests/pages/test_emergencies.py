"""Signing alone and the second look, on the pages; and the band of a bypass."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from approvals.models import ApprovalRequest, BreakGlass, Bypass
from approvals.operations import claims, emergencies
from audit.models import AuditEvent
from tests import make
from tests.pages.asking import browser_of, signed_on_a_device
from tests.pages.test_admin import verb

REASON = "The bank closes in ten minutes and nobody else answers"


def text(answer):
    return answer.content.decode()


@pytest.fixture
def two_must_sign(unit):
    make.policy()
    return make.request("2000.00")


def break_glass(browser, request, reason=REASON, **more):
    said = make.voice(request)
    typed = {
        "digest": request.digest, "revision": request.revision, "reason": reason,
        "viewed": said.viewed["sections"], "view": said.viewed["view"], "critical": said.critical,
        **signed_on_a_device(browser, request), **more,
    }  # fmt: skip
    return browser.post(reverse("break_glass", args=[request.pk]), typed)


class TestTheEvidence:
    """Of an act that two must sign, with one signature: why that was enough, and what came of the look afterwards."""

    @pytest.fixture
    def signed(self, unit, as_grace):
        make.policy()
        execution = make.execution("running")
        held = make.held_in(execution, amount="2000.00")
        break_glass(as_grace, ApprovalRequest.objects.get(pk=held.approval_id))
        return held

    @pytest.fixture
    def looked_at(self, signed, linus):
        by = make.actor(linus)
        emergencies.look_afterwards(
            glass_id=BreakGlass.objects.get().pk, by=by, justified=False, note="The bank was open until six"
        )
        return signed

    def test_says_who_signed_alone_why_and_that_nobody_has_looked_yet(self, signed, grace, as_vera):
        for address in (f"/executions/{signed.execution_id}/?tab=evidence", signed.get_absolute_url()):
            assert REASON in text(as_vera.get(address))
        shown = text(as_vera.get(f"/executions/{signed.execution_id}/?tab=evidence"))
        assert f"user:{grace.pk}</code> signed alone where 2 must" in shown
        assert "Nobody has looked at it yet." in shown

    def test_tells_of_the_broken_glass_before_what_followed_and_never_of_complete_signatures(self, signed, as_vera):
        told = text(as_vera.get(signed.get_absolute_url())).split('id="story"')[1].split("</section>")[0]
        parts = [
            "broke the glass and signed alone",
            "signed for it",
            "Approved: nobody else has to sign",
            "Released by",
        ]
        places = [told.index(part) for part in parts]
        assert places == sorted(places)
        assert "signatures are complete" not in told

    def test_says_who_looked_at_it_and_what_they_found(self, looked_at, as_vera):
        shown = text(as_vera.get(f"/executions/{looked_at.execution_id}/?tab=evidence"))
        assert "The bank was open until six" in shown
        assert "Nobody has looked at it yet." not in shown

    def test_is_in_the_pack(self, looked_at, grace, linus, as_vera):
        pack = as_vera.get(f"/api/v1/executions/{looked_at.execution_id}/evidence/").json()
        (approval,) = pack["approvals"]
        (told,) = approval["emergencies"]
        assert (approval["required"], len(approval["decisions"])) == (2, 1)
        assert (told["person"], told["reason"], told["status"]) == (f"user:{grace.pk}", REASON, "objected")
        assert (told["reviewed_by"], told["note"]) == (f"user:{linus.pk}", "The bank was open until six")


class TestBreakGlass:
    def test_is_offered_where_two_must_sign_and_nowhere_else(self, two_must_sign, as_grace, as_vera):
        assert "Sign alone" in text(as_grace.get(two_must_sign.get_absolute_url()))
        assert "Sign alone" not in text(as_vera.get(two_must_sign.get_absolute_url()))
        assert "Sign alone" not in text(as_grace.get(make.request().get_absolute_url()))

    def test_is_offered_while_others_hold_every_signature(self, two_must_sign, unit, as_grace, linus):
        mary = make.actor(make.person("mary", "view", "review", of=unit))
        for holder in (make.actor(linus), mary):
            claims.claim(request_id=two_must_sign.pk, by=holder)
        page = text(as_grace.get(two_must_sign.get_absolute_url()))
        assert "This request is held by" in page
        assert "Sign alone" in page

        break_glass(as_grace, two_must_sign)

        two_must_sign.refresh_from_db()
        assert two_must_sign.status == "approved"

    def test_signs_alone_and_leaves_an_open_item(self, two_must_sign, as_grace, as_linus):
        answer = break_glass(as_grace, two_must_sign)

        assert answer.status_code == 302
        two_must_sign.refresh_from_db()
        assert two_must_sign.status == "approved"
        assert "1 emergency to look at afterwards" in text(as_linus.get(reverse("work")))
        assert "signed alone, to look at afterwards" in text(as_linus.get(reverse("approvals")))
        assert "to look at afterwards" not in text(as_grace.get(reverse("work")))
        assert REASON in text(as_linus.get(reverse("emergencies")))

    def test_sent_again_because_its_answer_was_lost_is_not_called_refused(self, two_must_sign, as_grace):
        break_glass(as_grace, two_must_sign)

        answer = break_glass(as_grace, two_must_sign, assertion="", challenge="", code="000000")

        assert answer["Location"] == two_must_sign.get_absolute_url()
        assert BreakGlass.objects.count() == 1

    def test_keeps_a_reason_that_is_too_short(self, two_must_sign, as_grace):
        answer = break_glass(as_grace, two_must_sign, "it is urgent")

        assert answer.status_code == 422
        assert "it is urgent" in text(answer)
        assert not BreakGlass.objects.exists()

    def test_leaves_a_trace_where_the_second_factor_is_wrong(self, two_must_sign, as_grace):
        answer = break_glass(as_grace, two_must_sign, assertion="", challenge="", code="000000")

        assert answer.status_code == 422
        assert AuditEvent.objects.get(event="request.refused").data.count("break-glass") == 1

    def test_keeps_the_reason_where_a_part_was_not_viewed(self, two_must_sign, as_grace):
        typed = {"digest": two_must_sign.digest, "revision": two_must_sign.revision, "reason": REASON}

        answer = as_grace.post(reverse("break_glass", args=[two_must_sign.pk]), typed)

        assert answer.status_code == 422
        assert "Still to view" in text(answer)
        assert REASON in text(answer)
        assert not BreakGlass.objects.exists()

    def test_is_refused_to_whoever_only_looks(self, two_must_sign, as_vera, as_eve):
        assert break_glass(as_vera, two_must_sign).status_code == 403
        assert break_glass(as_eve, two_must_sign).status_code == 404

    def test_never_happens_on_a_get(self, two_must_sign, as_grace):
        assert as_grace.get(reverse("break_glass", args=[two_must_sign.pk]), {"reason": REASON}).status_code == 405


class TestTheSecondLook:
    @pytest.fixture
    def glass(self, two_must_sign, as_grace):
        break_glass(as_grace, two_must_sign)
        return BreakGlass.objects.get()

    def test_is_asked_of_another_reviewer(self, glass, as_grace, as_linus):
        address = glass.request.get_absolute_url()

        assert "Record my look" in text(as_linus.get(address))
        assert "Record my look" not in text(as_grace.get(address))

    def test_closes_the_item(self, glass, as_linus):
        typed = {"verdict": "objected", "note": "The bank was open all day"}
        as_linus.post(reverse("emergency_looks", args=[glass.pk]), typed)

        glass.refresh_from_db()
        assert (glass.status, glass.reviewed_by_name) == ("objected", "linus")
        assert "to look at afterwards" not in text(as_linus.get(reverse("work")))
        assert "The bank was open all day" in text(as_linus.get(glass.request.get_absolute_url()))

    def test_keeps_words_that_are_too_few(self, glass, as_linus):
        answer = as_linus.post(reverse("emergency_looks", args=[glass.pk]), {"verdict": "justified", "note": "fine"})

        assert answer.status_code == 422
        assert ">fine<" in text(answer)

    def test_is_refused_to_whoever_broke_the_glass(self, glass, as_grace):
        typed = {"verdict": "justified", "note": "I know it was right"}

        assert as_grace.post(reverse("emergency_looks", args=[glass.pk]), typed).status_code == 403

    def test_is_not_there_for_a_stranger(self, glass, as_eve):
        typed = {"verdict": "justified", "note": "I know it was right"}

        assert as_eve.post(reverse("emergency_looks", args=[glass.pk]), typed).status_code == 404
        assert REASON not in text(as_eve.get(reverse("emergencies")))


class TestABypass:
    RULE = {"name": "quarter-end", "tool": "erp.post_adjustment", "agent": "", "unit_id": "", "tier": "informational",
            "minutes": "60", "reason": "Half the reviewers are ill today"}  # fmt: skip

    @pytest.fixture
    def administrators(self, unit):
        people = [make.person(name, "view", of=unit, staff=True) for name in ("ann", "bob")]
        for user in people:
            user.user_permissions.set(Permission.objects.filter(codename__endswith="_bypass"))
        return [browser_of(user) for user in people]

    def propose(self, browser, **fields):
        return browser.post(reverse("admin:approvals_bypass_add"), {**self.RULE, **fields})

    def test_is_proposed_by_one_activated_by_another_and_seen_by_all(self, administrators, as_grace):
        first, second = administrators
        self.propose(first)
        row = Bypass.objects.get()
        verb(first, row, "activate")
        assert "Bypassed now" not in text(as_grace.get(reverse("work")))

        verb(second, row, "activate")

        page = text(as_grace.get(reverse("work")))
        assert "Bypassed now" in page
        assert "Half the reviewers are ill today" in page
        assert make.action().status == "granted"

    def test_of_a_unit_above_is_seen_below_it(self, administrators, unit):
        below = make.unit("below", "Below", parent=unit)
        self.propose(administrators[0], unit_id=str(unit.pk))
        verb(administrators[1], Bypass.objects.get(), "activate")

        browser = browser_of(make.person("zoe", "view", of=below))
        assert "Bypassed now" in text(browser.get(reverse("work")))

    @pytest.mark.parametrize("wrong", [{"minutes": "241"}, {"minutes": "0"}, {"reason": "ill"}, {"tier": "financial"}])
    def test_without_a_limit_a_reason_or_a_lower_tier_is_refused(self, administrators, wrong):
        assert self.propose(administrators[0], **wrong).status_code == 200
        assert not Bypass.objects.exists()
