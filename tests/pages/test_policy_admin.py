"""Policies that say who, what and when, typed into the admin by hand: what is stored, and what is refused with a remedy."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.urls import reverse

from approvals.models import ApprovalPolicy, ApprovalRequest, BusinessCalendar, LinkedAccounts, ReviewerGroup
from approvals.operations import stops
from audit import people
from audit.models import AuditEvent
from tests import make
from tests.pages.test_admin import ADD, RULE, address, administrator, verb

ADD_GROUP = "admin:approvals_reviewergroup_add"


@pytest.fixture
def first(unit):
    return administrator("ann", unit)


@pytest.fixture
def second(unit):
    return administrator("bob", unit)


def said(reply):
    return reply.content.decode()


class TestAName:
    def test_that_is_there_already_makes_the_next_version(self, first, grace):
        make.group("risk", grace)

        reply = first.post(
            reverse(ADD_GROUP), {"name": "risk", "title": "Risk", "unit_id": "", "member_ids": [grace.pk]}
        )

        assert reply.status_code == 302
        assert list(ReviewerGroup.objects.order_by("version").values_list("version", "status")) == [
            (1, "active"), (2, "draft"),
        ]  # fmt: skip


class TestAGroup:
    def test_is_drafted_by_one_and_put_in_force_by_another_with_its_members(self, first, second, grace, linus):
        first.post(
            reverse(ADD_GROUP), {"name": "risk", "title": "Risk", "unit_id": "", "member_ids": [grace.pk, linus.pk]}
        )
        draft = ReviewerGroup.objects.get()

        verb(second, draft, "activate")

        draft.refresh_from_db()
        assert (draft.status, draft.member_ids) == ("active", sorted([grace.pk, linus.pk]))
        assert AuditEvent.objects.filter(event="reviewer_group.active", object_id=draft.pk).exists()
        assert "grace, linus" in said(second.get(address(draft, "change")))

    def test_loses_a_member_by_a_new_version_and_the_difference_names_people(self, first, second, grace, linus):
        old = make.group("risk", grace, linus)
        verb(first, old, "version")
        draft = ReviewerGroup.objects.get(version=2)
        read = {"name": "risk", "title": "Risk", "unit_id": "", "member_ids": [grace.pk]}
        from tests.pages.test_admin import reading

        opened = reading(second, draft)
        first.post(address(draft, "change"), read)
        changed = second.post(address(draft, "activate"), opened)
        verb(second, draft, "activate")

        assert changed.status_code == 409
        assert "linus" in said(changed)
        assert ReviewerGroup.objects.active().get().member_ids == [grace.pk]

    def test_of_another_unit_is_not_there(self, first, grace):
        foreign = make.group("theirs", grace, of=make.unit("elsewhere"))

        assert "theirs" not in said(first.get(reverse("admin:approvals_reviewergroup_changelist")))
        assert first.get(address(foreign, "change")).status_code == 302


class TestAPolicy:
    def test_says_whose_signatures_which_checks_and_which_hours(self, first, grace, linus):
        make.group("finance", grace)
        make.group("risk", linus)
        make.calendar("office")
        rule = {
            **RULE, "needs": "1 from finance\n1 from risk", "checks": "Amount matches the invoice?",
            "reason_codes": ["evidence_checked", "wrong_amount"], "calendar": "office", "on_timeout": "escalate",
            "escalate_to": "risk",
        }  # fmt: skip

        first.post(reverse(ADD), rule)

        row = ApprovalPolicy.objects.get()
        assert row.needs == [{"groups": ["finance"], "count": 1}, {"groups": ["risk"], "count": 1}]
        assert (row.checks, row.reason_codes) == (["Amount matches the invoice?"], ["evidence_checked", "wrong_amount"])
        assert (row.calendar, row.escalate_to) == ("office", "risk")
        assert "1 from finance\n1 from risk" in said(first.get(address(row, "change")))

    @pytest.mark.parametrize(
        ("typed", "says"),
        [
            ({"needs": "finance"}, "Line 1: “finance” is not understood"),
            ({"needs": "1 from fianance"}, "Did you mean finance?"),
            ({"needs": "1 from theirs"}, "no group “theirs” in force for this business unit"),
            ({"needs": "2 from finance"}, "cannot be met: there are 1 members"),
            ({"calendar": "nights"}, "nights is not one of the available choices"),
            ({"on_timeout": "escalate", "escalate_to": "abroad"}, "no group “abroad” in force for this business unit"),
            ({"on_timeout": "escalate"}, "Say which group is asked next"),
            ({"escalate_to": "finance"}, "Only a policy that escalates"),
            ({"on_timeout": "approve"}, "Select a valid choice"),
            ({"checks": "\n".join(f"Question {n}?" for n in range(11))}, "At most 10 checks"),
            ({"condition": "args.amount > 5 &&\n arsg.x == 1"}, "line 2, column 2: unknown name `arsg`"),
        ],
    )
    def test_that_cannot_work_is_refused_with_what_to_do(self, first, grace, typed, says):
        make.group("finance", grace)
        make.group("theirs", grace, of=make.unit("elsewhere"))
        make.group("abroad", grace, of=make.unit("abroad", parent=make.unit("finance")))

        reply = first.post(reverse(ADD), {**RULE, **typed})

        assert says.replace("'", "&#x27;") in said(reply)
        assert not ApprovalPolicy.objects.exists()


class TestAPolicyOfAUnitBelowAnother:
    def test_asks_a_group_of_the_one_above_and_is_activated_by_whoever_sees_only_its_own(self, unit, grace):
        desk = make.unit("desk", "Desk", parent=unit)
        above, below = administrator("ann", unit), administrator("bob", desk)
        make.group("risk", grace, of=unit)
        above.post(reverse(ADD), {**RULE, "unit_id": desk.pk, "on_timeout": "escalate", "escalate_to": "risk"})
        draft = ApprovalPolicy.objects.get()

        verb(below, draft, "activate")

        draft.refresh_from_db()
        assert draft.status == "active"


class TestADraftWhoseReferencesAreGone:
    @pytest.mark.parametrize(
        ("named", "says"),
        [
            ({"calendar": "office"}, "Calendar: Select a valid choice. office is not one of the available choices."),
            ({"needs": "1 from risk"}, "Groups: There is no group “risk” in force for this business unit."),
            (
                {"on_timeout": "escalate", "escalate_to": "risk"},
                "Escalate to: Select a valid choice. risk is not one of the available choices.",
            ),
        ],
    )
    def test_is_not_activated_and_says_which(self, first, second, grace, named, says):
        gone = [make.calendar("office"), make.group("risk", grace)]
        first.post(reverse(ADD), {**RULE, **named})
        draft = ApprovalPolicy.objects.get()
        for row in gone:
            first.post(address(row, "retire"), {"why": "not needed"})

        page = said(verb(second, draft, "activate", follow=True))

        draft.refresh_from_db()
        assert draft.status == "draft"
        assert "As it is, this draft could not be saved any more." in page
        assert says in page

    def test_shows_what_it_says_and_not_the_first_of_what_can_be_chosen(self, first, second):
        office = make.calendar("office")
        first.post(reverse(ADD), {**RULE, "calendar": "office"})
        first.post(address(office, "retire"), {"why": "not needed"})

        page = said(second.get(address(ApprovalPolicy.objects.get(), "change")))

        assert '<option value="office" selected>office (cannot be chosen any more)</option>' in page

    def test_shows_a_member_whose_account_is_disabled(self, first, second, grace, linus):
        old = make.group("risk", grace, linus)
        linus.is_active = False
        linus.save()
        verb(first, old, "version")
        draft = ReviewerGroup.objects.get(version=2)

        page = said(second.get(address(draft, "change")))

        assert "linus (disabled)" in page
        verb(second, draft, "activate")
        assert ReviewerGroup.objects.active().get() == draft


class TestACalendar:
    TEXTS = {"name": "office", "title": "Office", "unit_id": "", "time_zone": "Europe/Oslo",
             "weekly_hours": "Mon-Fri 09:00-17:00", "holidays": "2026-12-25 Christmas Day"}  # fmt: skip

    def test_is_stored_as_written(self, first):
        first.post(reverse("admin:approvals_businesscalendar_add"), self.TEXTS)

        assert BusinessCalendar.objects.get().hours.holidays

    def test_that_cannot_be_read_is_refused_with_its_line(self, first):
        texts = {**self.TEXTS, "weekly_hours": "Mon-Fri 09:00-17:00\nSat ten to twelve", "time_zone": "Oslo"}

        reply = said(first.post(reverse("admin:approvals_businesscalendar_add"), texts))

        assert "Line 2: “Sat ten to twelve” is no opening time" in reply
        assert "no time zone “Oslo”" in reply


class TestLinkedAccounts:
    def test_are_linked_by_one_and_confirmed_by_another(self, first, second, grace, linus):
        sent = {"name": "grace", "account_ids": [grace.pk, linus.pk], "reason": "same passport"}
        first.post(reverse("admin:approvals_linkedaccounts_add"), sent)
        draft = LinkedAccounts.objects.get()

        verb(second, draft, "activate")

        assert LinkedAccounts.objects.active().get().account_ids == sorted([grace.pk, linus.pk])

    def test_may_be_disabled_and_stay_linked_when_the_link_is_edited(self, first, second, grace, linus):
        """What somebody asked for before they changed their account is not theirs to approve under the new one."""
        linus.is_active = False
        linus.save()
        both = {"name": "grace", "account_ids": [grace.pk, linus.pk], "reason": "linus was her account until June"}
        page = first.get(reverse("admin:approvals_linkedaccounts_add")).content.decode()

        first.post(reverse("admin:approvals_linkedaccounts_add"), both)
        verb(second, LinkedAccounts.objects.get(), "activate")

        assert "linus (disabled)" in page
        assert people.accounts_behind(make.actor(grace)) == {grace.pk, linus.pk}

    def test_of_one_account_are_no_link(self, first, grace):
        sent = {"name": "grace", "account_ids": [grace.pk], "reason": "same passport"}

        assert "two accounts or more" in said(first.post(reverse("admin:approvals_linkedaccounts_add"), sent))


class TestTryingAPolicy:
    @pytest.fixture
    def draft(self, first):
        first.post(
            reverse(ADD),
            {**RULE, "tool": "erp.post_adjustment", "required": "2", "condition": "double(args.amount) > 500.0"},
        )
        return ApprovalPolicy.objects.get(name="refunds")

    def trial(self, browser, row, query=""):
        return " ".join(said(browser.get(address(row, "trial") + query)).split())

    def test_names_the_actions_it_would_have_held_and_what_that_costs(self, first, draft):
        make.tool(tier="informational")
        for amount in ("100.00", "900.00", "700.00"):
            make.action(amount)
        before = AuditEvent.objects.count()

        page = self.trial(first, draft)

        assert "2 of 3, 2 of them where nobody is asked today" in page
        assert "4 more" in page
        assert "300 s a signature: assumed" in page
        assert "unknown: no past decision to go by" in page
        assert "Post 900.00 EUR" in page
        assert "Post 100.00 EUR" not in page
        assert AuditEvent.objects.count() == before

    def test_measures_reading_time_and_lateness_from_past_decisions(self, first, draft, grace):
        make.tool()
        request = make.request("20.00")
        make.approved(request, grace)
        from approvals.operations import Voice, approve

        other = make.request("30.00")
        approve(request_id=other.pk, by=make.actor(grace), voice=Voice(
            digest=other.digest, revision=other.revision, reason_code="evidence_checked",
            viewed={"reading": {"act": {"ms": 60_000, "opens": 1}, "change": {"ms": 30_000, "opens": 1}}},
        ))  # fmt: skip

        page = self.trial(first, draft)

        assert "90 s a signature: the median reading time of 1 past decision." in page
        assert "0 of 2 past decisions (0.0 %) took longer" in page

    def test_counts_no_decision_as_late_for_a_stop_of_a_week(self, first, draft, grace):
        make.tool()
        request = make.request("20.00")
        oscar = make.actor(make.person("oscar", "view", "operate"))
        stop = stops.engage(
            target=stops.Target(scope="unit", unit_id=request.unit_id), by=oscar, reason="it pays twice"
        )
        week = timedelta(days=7)
        ApprovalRequest.objects.update(created_at=F("created_at") - week, frozen_at=F("frozen_at") - week)
        stops.lift(stop_id=stop.pk, by=oscar, why="it pays once again")
        make.approved(request, grace)

        assert "0 of 1 past decision" in self.trial(first, draft)

    def test_says_what_a_looser_version_would_no_longer_ask(self, first):
        make.tool(tier="informational")
        strict = make.policy("strict", required=2, condition="")
        make.action("100.00")
        verb(first, strict, "version")
        looser = ApprovalPolicy.objects.get(name="strict", version=2)
        first.post(
            address(looser, "change"),
            {**RULE, "name": "strict", "tool": "erp.post_adjustment", "condition": "", "required": "0"},
        )

        page = self.trial(first, looser)

        assert "Would have asked for less</th><td>1 of 1" in page
        assert "2 fewer" in page
        assert "nobody is asked" in page

    def test_sees_only_actions_of_units_the_asker_sees(self, first, draft):
        make.tool(tier="informational")
        make.action("900.00", of=make.unit("elsewhere"), named="other")

        assert "No action that this policy could concern" in self.trial(first, draft)

    def test_changes_nothing_and_takes_no_post(self, first, draft):
        assert first.post(address(draft, "trial")).status_code == 405

    def test_of_another_units_policy_does_not_exist(self, first):
        foreign = make.policy("theirs", unit_id=make.unit("elsewhere").pk)

        assert first.get(address(foreign, "trial")).status_code == 404

    def test_costs_the_same_for_many_actions_as_for_few(self, first, draft, django_assert_max_num_queries):
        make.tool(tier="informational")
        for number in range(12):
            make.action(f"{number}00.00")

        with django_assert_max_num_queries(25):
            self.trial(first, draft, "?last=500")


class TestWhatIsLearnt:
    def test_is_a_share_and_a_switch_that_two_people_set(self, first, second):
        first.post(reverse(ADD), {**RULE, "second_look_percent": "20", "test_items": "on"})
        draft = ApprovalPolicy.objects.get()
        assert (draft.second_look_percent, draft.test_items, draft.status) == (20, True, "draft")

        verb(first, draft, "activate")
        draft.refresh_from_db()
        assert draft.status == "draft"
        verb(second, draft, "activate")

        draft.refresh_from_db()
        assert draft.status == "active"
        assert AuditEvent.objects.filter(event="approval_policy.active", object_id=draft.pk).exists()

    def test_is_off_and_the_usual_share_where_nothing_is_said(self, first):
        first.post(reverse(ADD), RULE)

        draft = ApprovalPolicy.objects.get()
        assert (draft.second_look_percent, draft.test_items) == (None, False)

    def test_is_no_share_of_more_than_everything(self, first):
        answer = first.post(reverse(ADD), {**RULE, "second_look_percent": "101"})

        assert "less than or equal to 100" in said(answer)
        assert not ApprovalPolicy.objects.exists()


class TestWhatReadsDifferentlyFromWhatItIs:
    @pytest.mark.parametrize(
        ("field", "typed", "says"),
        [
            ("condition", 'args.currency == "\u0415UR"', "== &quot;[U+0415 CYRILLIC CAPITAL LETTER IE]UR"),
            ("reason", "Over 1000 \u202edeen era owt", "Reason: Over 1000 [U+202E RIGHT-TO-LEFT OVERRIDE]deen era owt"),
            ("condition", 'args.account == "40\u200b10"', "[U+200B ZERO WIDTH SPACE]"),
        ],
    )  # fmt: skip
    def test_is_spelled_out_for_whoever_activates_it(self, first, second, field, typed, says):
        first.post(reverse(ADD), {**RULE, field: typed})
        draft = ApprovalPolicy.objects.get()

        page = said(second.get(address(draft, "change"))).replace('<span class="char">', "").replace("</span>", "")

        assert getattr(draft, field) == typed
        assert "What reads differently from what it is" in page
        assert says in page

    def test_is_not_mentioned_where_there_is_nothing(self, first, second):
        first.post(reverse(ADD), {**RULE, "reason": "Überweisung über 1000: «à deux»"})

        page = said(second.get(address(ApprovalPolicy.objects.get(), "change")))

        assert "What reads differently" not in page
