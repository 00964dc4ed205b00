"""Configuring in the admin: four eyes on every definition, conditions that compile, and no second way around the verbs."""

import json
import re
from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from approvals.models import ApprovalPolicy
from audit.definitions import digest_of
from audit.models import AuditEvent
from budgets.models import BusinessUnit
from orchestrator.models import Agent, ServiceToken, Tool
from orchestrator.releases.bundle import publish
from tests import make
from tests.pages.asking import browser_of

CONFIGURABLE = [
    "approvalpolicy",
    "reviewergroup",
    "businesscalendar",
    "linkedaccounts",
    "tool",
    "agent",
    "businessunit",
    "servicetoken",
    "servicelevel",
    "budget",
    "budgetexception",
    "price",
    "limit",
    "escalationlevel",
]
RULE = {
    "name": "refunds", "unit_id": "", "tool": "payments.refund", "condition": "double(args.amount) > 500.0", "verdict": "hold",
    "required": "2", "reason": "A large refund", "decide_within_seconds": "3600", "use_within_seconds": "600",
    "on_timeout": "reject", "step_up": "tier",
}  # fmt: skip
LIST = "admin:approvals_approvalpolicy_changelist"
ADD = "admin:approvals_approvalpolicy_add"


def administrator(name, unit):
    user = make.person(name, "view", of=unit, staff=True)
    codenames = [f"{verb}_{model}" for verb in ("add", "change", "view") for model in CONFIGURABLE]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return browser_of(user)


@pytest.fixture
def first(unit):
    return administrator("ann", unit)


@pytest.fixture
def second(unit):
    return administrator("bob", unit)


def address(row, name):
    model = type(row)._meta
    return reverse(f"admin:{model.app_label}_{model.model_name}_{name}", args=[row.pk])


def reading(browser, row):
    """What the Activate form on the row's page carries: the digest of what the page shows, that text, and what it is over.

    Whoever it is not offered to sends what the form would, by hand.
    """
    page = browser.get(address(row, "change")).content.decode()
    if 'data-verb="activate"' not in page:
        return {"digest": digest_of(row)}
    return {name: hidden(page, name) for name in ("digest", "read", "over")}


def as_opened(browser, row):
    """What the form of a draft carries of what was in it when it was opened."""
    page = browser.get(address(row, "change")).content.decode()
    return {name: hidden(page, name) for name in ("digest", "read")}


def text_of(browser, row):
    return browser.get(address(row, "change")).content.decode()


def hidden(page, name):
    return unescape(re.search(rf'name="{name}" value="([^"]*)"', page)[1])


def verb(browser, row, name, **more):
    sent = reading(browser, row) if name == "activate" and row.status == "draft" else {}
    return browser.post(address(row, name), sent, **more)


class TestItsSignIn:
    def test_leads_an_administrator_who_is_signed_in_already_on(self, first):
        assert first.get("/admin/login/?next=https://evil.example/")["Location"] == "/admin/"

    def test_tells_everybody_else_whom_to_ask(self, unit):
        assert browser_of(make.person("eve")).get("/admin/login/").status_code == 403


class TestPolicy:
    def test_is_drafted_by_one_and_activated_by_another(self, first, second):
        first.post(reverse(ADD), RULE)
        draft = ApprovalPolicy.objects.get(name="refunds")

        own = verb(first, draft, "activate", follow=True)
        draft.refresh_from_db()
        status_after_own = draft.status
        verb(second, draft, "activate")
        draft.refresh_from_db()

        assert "another administrator has to activate it" in own.content.decode()
        assert (status_after_own, draft.status) == ("draft", "active")
        assert (draft.edited_by.username, draft.activated_by.username) == ("ann", "bob")

    def test_that_was_saved_is_said_to_change_nothing_yet(self, first):
        page = first.post(reverse(ADD), RULE, follow=True).content.decode()

        assert "This is a draft and changes nothing yet: another administrator has to activate it." in page

    def test_saved_by_two_who_had_opened_the_same_tells_the_later_one_before_anything_is_put_back(self, first, second):
        first.post(reverse(ADD), RULE)
        draft = ApprovalPolicy.objects.get(name="refunds")
        change = address(draft, "change")
        opened = {one: as_opened(browser, draft) for one, browser in (("ann", first), ("bob", second))}

        first.post(change, {**RULE, **opened["ann"], "required": "1"})
        told = second.post(change, {**RULE, **opened["bob"], "reason": "A refund"}).content.decode()
        draft.refresh_from_db()
        after_the_first_try = (draft.required, draft.reason)
        again = {name: hidden(told, name) for name in ("digest", "read")}
        second.post(change, {**RULE, **again, "required": "1", "reason": "A refund"})

        draft.refresh_from_db()
        assert after_the_first_try == (1, "A large refund")
        assert "This was saved elsewhere after you had opened it" in told
        assert re.search(r"\srequired\s+2\s+1\s", re.sub("<[^>]+>", " ", told))
        assert 'value="A refund"' in told
        assert 'data-verb="activate"' not in told, "what would be activated is not what this page shows"
        assert (draft.required, draft.reason) == (1, "A refund")

    @pytest.mark.parametrize("name", ["decide_within_seconds", "use_within_seconds"])
    @pytest.mark.parametrize("seconds", ["0", "31622401"])
    def test_gives_no_other_times_than_a_file_may(self, first, name, seconds):
        reply = first.post(reverse(ADD), {**RULE, name: seconds})

        assert reply.context["adminform"].form.errors.keys() == {name}
        assert not ApprovalPolicy.objects.exists()

    def test_with_a_condition_that_does_not_compile_is_refused_with_its_place(self, first):
        reply = first.post(reverse(ADD), {**RULE, "condition": "double(args.amount > 5"})

        assert "line 1, column" in reply.content.decode()
        assert not ApprovalPolicy.objects.exists()

    def test_edited_by_the_second_cannot_be_activated_by_the_second(self, first, second):
        first.post(reverse(ADD), RULE)
        draft = ApprovalPolicy.objects.get(name="refunds")

        second.post(reverse("admin:approvals_approvalpolicy_change", args=[draft.pk]), {**RULE, "required": "1"})
        verb(second, draft, "activate")

        draft.refresh_from_db()
        assert (draft.status, draft.required, draft.edited_by.username) == ("draft", 1, "bob")
        assert '"changed":["required"]' in AuditEvent.objects.get(event="approval_policy.edited").data

    def test_saved_as_it_was_by_the_second_may_still_be_activated_by_the_second(self, first, second):
        first.post(reverse(ADD), RULE)
        draft = ApprovalPolicy.objects.get(name="refunds")

        page = second.post(address(draft, "change"), {**RULE, **as_opened(second, draft)}, follow=True).content.decode()
        verb(second, draft, "activate")

        draft.refresh_from_db()
        assert "You saved what was there before, which is no edit" in page
        assert (draft.status, draft.edited_by.username, len(draft.editors)) == ("active", "ann", 1)
        assert not AuditEvent.objects.filter(event="approval_policy.edited").exists()

    def test_edited_by_anybody_on_the_way_is_not_activated_by_them(self, first, second):
        first.post(reverse(ADD), RULE)
        draft = ApprovalPolicy.objects.get(name="refunds")
        change = address(draft, "change")

        second.post(change, {**RULE, "required": "1"})
        first.post(change, {**RULE, "required": "2"})
        reply = verb(second, draft, "activate", follow=True)

        draft.refresh_from_db()
        assert "You edited this draft" in reply.content.decode()
        assert (draft.status, draft.edited_by.username, len(draft.editors)) == ("draft", "ann", 2)

    def test_changed_since_it_was_opened_is_not_activated_and_the_difference_is_shown(self, first, second):
        first.post(reverse(ADD), RULE)
        draft = ApprovalPolicy.objects.get(name="refunds")
        read = reading(second, draft)
        first.post(address(draft, "change"), {**RULE, "condition": "double(args.amount) > 900.0"})

        reply = second.post(address(draft, "activate"), read)

        page = re.sub("<[^>]+>", "", reply.content.decode())
        draft.refresh_from_db()
        assert (reply.status_code, draft.status) == (409, "draft")
        assert "edited after you opened it" in page
        assert "500.0" in page
        assert "900.0" in page
        assert AuditEvent.objects.get(event="request.refused").why == "changed_since_read"

    @pytest.mark.parametrize("name", ["activate", "retire"])
    def test_that_is_no_draft_any_more_is_not_saved_and_what_was_typed_is_told(self, first, second, name):
        first.post(reverse(ADD), RULE)
        draft = ApprovalPolicy.objects.get(name="refunds")
        opened = as_opened(first, draft)
        second.post(address(draft, name), {**reading(second, draft), "why": "Not needed"})

        reply = first.post(
            address(draft, "change"), {**RULE, **opened, "reason": "A <b>large</b> one", "required": "zwei"}
        )

        page = unescape(re.sub("<[^>]+>", "", reply.content.decode()))
        draft.refresh_from_db()
        assert (reply.status_code, draft.reason) == (409, "A large refund")
        assert f"This approval policy is {draft.status} by now: only a draft can be edited. Nothing was saved." in page
        assert "Make a new version of it, and type there what you had typed here." in page
        assert "A <b>large</b> one" in page
        assert "zwei" not in page, "what could not be read is not told as typed"
        assert "Your account may not" not in page
        assert AuditEvent.objects.get(event="request.refused").why == "draft_no_more"

    def test_over_another_version_than_the_one_read_is_not_activated_until_it_is_read_again(self, first, second):
        first.post(reverse(ADD), {**RULE, "required": "1"})
        verb(second, ApprovalPolicy.objects.get(), "activate")
        for version in (2, 3):
            verb(first, ApprovalPolicy.objects.get(version=1), "version")
            draft = ApprovalPolicy.objects.get(version=version)
            changed = {"required": "2"} if version == 2 else {"required": "1", "reason": "Worded better"}
            first.post(address(draft, "change"), {**RULE, **changed, **as_opened(first, draft)})
        stricter, worded = (ApprovalPolicy.objects.get(version=version) for version in (2, 3))
        opened = reading(second, worded)
        verb(second, stricter, "activate")

        reply = second.post(address(worded, "activate"), opened)

        page = reply.content.decode()
        assert reply.status_code == 409
        assert "After you opened this draft, refunds v2 came into force" in page
        assert "cannot be shown any more" not in page
        assert ApprovalPolicy.objects.active().get().required == 2
        assert verb(second, worded, "activate").status_code == 302, "read again, it is theirs to decide"
        assert ApprovalPolicy.objects.active().get().version == 3

    def test_read_anew_is_activated_and_the_trail_says_what_was_read(self, first, second):
        first.post(reverse(ADD), RULE)
        draft = ApprovalPolicy.objects.get(name="refunds")
        read = reading(second, draft)

        verb(second, draft, "activate")

        draft.refresh_from_db()
        assert draft.status == "active"
        assert read["digest"] in AuditEvent.objects.get(event="approval_policy.active").data

    def test_is_not_activated_without_saying_what_was_read(self, first, second):
        first.post(reverse(ADD), RULE)
        draft = ApprovalPolicy.objects.get(name="refunds")

        reply = second.post(address(draft, "activate"))

        draft.refresh_from_db()
        assert (reply.status_code, draft.status) == (409, "draft")

    def test_in_force_is_read_only_and_changed_by_a_new_version(self, first):
        policy = make.policy()
        change = reverse("admin:approvals_approvalpolicy_change", args=[policy.pk])

        page = first.get(change).content.decode()
        posted = first.post(change, {**RULE, "name": policy.name})
        verb(first, policy, "version")

        policy.refresh_from_db()
        copy = ApprovalPolicy.objects.get(name=policy.name, version=2)
        assert 'name="_save"' not in page
        assert posted.status_code == 409
        assert (policy.required, policy.status) == (2, "active")
        assert (copy.status, copy.condition, copy.activated_by) == ("draft", policy.condition, None)

    def test_shows_the_activating_person_what_it_changes_field_by_field(self, first, second):
        policy = make.policy(checks=["Invoice seen?"])
        verb(first, policy, "version")
        draft = ApprovalPolicy.objects.get(name=policy.name, version=2)
        same = second.get(address(draft, "change")).content.decode()
        first.post(address(draft, "change"), {
            **RULE, "name": policy.name, "tool": policy.tool, "condition": "double(args.amount) > 2500.0",
            "reason": policy.reason, "checks": "Invoice seen?\nRight account?", "decide_within_seconds": "86400",
            "use_within_seconds": "3600",
        })  # fmt: skip

        page = second.get(address(draft, "change")).content.decode()

        section = page[page.index('class="against"') :].partition("</section>")[0]
        words = re.sub(r"<[^>]+>", "", section)
        assert "It says the same as two-above-1000 v1" in same
        assert "two-above-1000 v1, which is in force" in words
        assert [name in section for name in ("condition", "checks")] == [True, True]
        assert ("1000.0" in words, "2500.0" in words, "Right account?" in words) == (True, True, True)
        assert [name for name in ("required", "version", "unit") if f">{name}<" in section] == []

    def test_of_a_name_of_its_own_would_be_new(self, first, second):
        first.post(reverse(ADD), RULE)

        page = second.get(address(ApprovalPolicy.objects.get(name="refunds"), "change")).content.decode()

        assert "Nothing is in force under this name" in page

    def test_is_offered_for_activation_only_to_whoever_may_and_says_why_not(self, first, second):
        first.post(reverse(ADD), RULE)
        change = address(ApprovalPolicy.objects.get(name="refunds"), "change")

        own, others = (browser.get(change).content.decode() for browser in (first, second))

        assert ('data-verb="activate"' in own, 'data-verb="activate"' in others) == (False, True)
        assert "You edited this draft, so another administrator has to activate it." in own
        assert "You edited this draft" not in others

    def test_in_force_is_shown_in_words_not_in_json_or_ids(self, unit, first, grace):
        make.group("finance", grace)
        policy = make.policy(unit_id=unit.pk, needs=make.needs("1 from finance"), checks=["Invoice seen?"],
                             reason_codes=["evidence_checked"])  # fmt: skip

        page = first.get(address(policy, "change")).content.decode()

        assert all(words in page for words in ("1 from finance", "Invoice seen?", "Finance"))
        assert not any(raw in page for raw in ("Unit id", str(unit.pk), "evidence_checked", "[{", "&quot;groups"))

    def test_in_force_says_since_when_by_the_24_hour_clock_and_in_which_zone(self, first):
        page = first.get(address(make.policy(), "change")).content.decode()

        assert re.search(r"In force since \d{4}-\d\d-\d\d \d\d:\d\d UTC", page)
        assert re.search(r'class="readonly">\d{4}-\d\d-\d\d \d\d:\d\d UTC<', page)
        assert not re.search(r"[ap]\.m\.", page)

    def test_is_listed_at_the_same_cost_however_many_there_are(self, unit, first):
        def asked():
            with CaptureQueriesContext(connection) as queries:
                assert unit.title in first.get(reverse("admin:approvals_approvalpolicy_changelist")).content.decode()
            return len(queries)

        make.policy("one", unit_id=unit.pk)
        few = asked()
        for name in ("two", "three", "four"):
            make.policy(name, unit_id=unit.pk)

        assert asked() == few

    def test_is_never_deleted(self, first):
        policy = make.policy()

        assert (
            first.post(reverse("admin:approvals_approvalpolicy_delete", args=[policy.pk]), {"post": "yes"}).status_code
            == 403
        )
        assert ApprovalPolicy.objects.filter(pk=policy.pk).exists()

    def test_of_another_unit_does_not_exist(self, first):
        foreign = make.policy("theirs", unit_id=make.unit("elsewhere").pk)

        assert "theirs" not in first.get(reverse(LIST)).content.decode()
        assert verb(first, foreign, "retire").status_code == 403
        foreign.refresh_from_db()
        assert foreign.status == "active"

    def test_has_its_history_in_the_audit_log(self, first):
        policy = make.policy()

        reply = first.get(reverse("admin:approvals_approvalpolicy_history", args=[policy.pk]))

        assert reply["Location"] == f"/audit/?object={policy.pk}"


class TestVerbs:
    @pytest.mark.parametrize("name", ["activate", "retire", "version"])
    def test_change_nothing_on_a_link(self, first, name):
        policy = make.policy()

        assert first.get(address(policy, name)).status_code == 405

    def test_need_the_permission_to_configure(self, unit, first):
        policy = make.policy()
        looker = make.person("lou", "view", of=unit, staff=True)
        looker.user_permissions.set(Permission.objects.filter(codename="view_approvalpolicy"))

        assert verb(browser_of(looker), policy, "retire").status_code == 403


class TestWhatProductionRestsOn:
    WORKFLOW = """
workflow: closing
version: 1.0.0
input: {type: object}
steps:
  - look: {agent: looker}
  - lookup: {tool: crm.look}
"""

    @pytest.mark.parametrize(("model", "name"), [(Agent, "looker"), (Tool, "crm.look")])
    def test_is_said_while_it_is_in_force(self, first, tmp_path, model, name):
        for agent, tool in [("looker", "crm.look"), ("idle", "crm.idle")]:
            make.agent(agent, entry="handlers:post")
            make.tool(tool, entry="handlers:post", input_schema={}, probe="", record="", business_key="", title="")
        publish(make.folder(tmp_path / "closing", self.WORKFLOW), by=make.MAKER)
        says = "In production, closing 1.0.0 rests on it. Retired, it makes no call there any more"
        used, unused = model.objects.get(name=name), model.objects.exclude(name=name).get(name__endswith="idle")

        assert says in text_of(first, used)
        assert says not in text_of(first, unused)
        verb(first, used, "version")
        assert says not in text_of(first, model.objects.get(name=name, status="draft"))

    def test_is_said_before_a_new_version_of_a_tool_takes_its_place(self, first, tmp_path):
        make.agent("looker", entry="handlers:post")
        for tool in ("crm.look", "crm.idle"):
            make.tool(tool, entry="handlers:post", input_schema={}, probe="", record="", business_key="", title="")
        publish(make.folder(tmp_path / "closing", self.WORKFLOW), by=make.MAKER)
        says = "In production, closing 1.0.0 rests on another version. Activated, this one is in force and not theirs"
        for name in ("crm.look", "crm.idle"):
            verb(first, Tool.objects.get(name=name), "version")

        assert says in text_of(first, Tool.objects.get(name="crm.look", status="draft"))
        assert says not in text_of(first, Tool.objects.get(name="crm.idle", status="draft"))


class TestTool:
    def test_of_a_new_version_counts_its_last_number_up(self, first):
        tool = make.tool()

        verb(first, tool, "version")
        verb(first, tool, "version")

        versions = Tool.objects.filter(name=tool.name).order_by("version").values_list("version", flat=True)
        assert list(versions) == ["1.0.0", "1.0.1", "1.0.2"]

    @pytest.mark.parametrize("version", ["b7e23ec29af22b0b4e41da31e868d57226121c84", "2.1²"])
    def test_of_a_new_version_has_one_that_can_be_stored(self, first, version):
        tool = make.tool(version=version)

        verb(first, tool, "version")

        assert Tool.objects.filter(name=tool.name, status="draft").exclude(version=version).count() == 1

    def test_is_retired_for_a_reason_that_can_be_stored(self, first):
        tool = make.tool()

        first.post(address(tool, "retire"), {"why": "not\0needed"})

        assert AuditEvent.objects.get(event="tool.retired", object_id=tool.pk).why == "notneeded"

    def test_is_retired_once_clicked_twice(self, first):
        tool = make.tool()

        first.post(address(tool, "retire"), {"why": "not needed"})
        again = first.post(address(tool, "retire"), {"why": "not needed"}, follow=True)

        assert "This tool is retired already." in again.content.decode()
        assert AuditEvent.objects.filter(event="tool.retired", object_id=tool.pk).count() == 1

    @pytest.mark.parametrize(
        ("field", "typed", "says"),
        [
            ("input_schema", '{"type": "objekt"}', "Not a JSON Schema (draft 2020-12)"),
            ("output_schema", '"none"', "is not of type 'object'. Correct the value."),
            ("input_schema", '{"maximum": 9223372036854775807}', "An integer is beyond 2^53"),
            ("input_schema", '{"maximum": 1e400}', "/maximum: NaN and Infinity are not JSON"),
            ("output_schema", '{"title": "\\u0000"}', "Text holds the character U+0000"),
            ("output_schema", '{"title": "\\ud800"}', "text holds a lone surrogate"),
            ("input_schema", '{"title": "a", "title": "b"}', "The key 'title' appears twice in one object."),
            ("egress", "[" * 5_000, "Nested deeper than 40 levels."),
            ("business_key", "args.reference[", "It may use args."),
            ("entry", "rm -rf", "rm -rf"),
            ("compensate_with", "erp.revrese", "There is no tool 'erp.revrese'"),
            ("scopes", '"ledger"', "is not of type 'array'"),
            ("name", "erp post", "Use letters, digits and _ . : / -, without blanks."),
        ],
    )
    def test_is_refused_what_an_import_of_it_would_be_refused(self, first, field, typed, says):
        tool = {"name": "erp.post", "version": "1", "effect": "write", "tier": "financial", "idempotency_class": "A",
                "scopes": "[]", "egress": "[]", "input_schema": "{}", "output_schema": "{}"}  # fmt: skip

        page = unescape(first.post(reverse("admin:orchestrator_tool_add"), {**tool, field: typed}).content.decode())

        assert says in page
        assert not Tool.objects.exists()
        assert first.post(reverse("admin:orchestrator_tool_add"), tool).status_code == 302


class TestAgentAndUnit:
    @pytest.mark.parametrize(
        ("field", "typed", "says"),
        [
            # A text is searched for a tool's name, and a part of it is found.
            ("allowed_tools", '"erp.post.all"', "is not of type 'array'"),
            ("allowed_tools", '["erp.pots"]', "There is no tool 'erp.pots'. Did you mean erp.post?"),
            ("name", "workflow:closing", "without workflow: in front"),
            ("input_schema", '{"$ref": "#"}', "leads round in a circle"),
        ],
    )
    def test_are_refused_what_an_import_of_them_would_be_refused(self, first, unit, field, typed, says):
        make.tool("erp.post")
        agent = {"name": "clerk", "unit_id": str(unit.pk), "owner": make.person("owner").pk, "allowed_tools": '["erp.post"]',
                 "egress": "[]", "input_schema": "{}", "output_schema": "{}"}  # fmt: skip

        page = unescape(first.post(reverse("admin:orchestrator_agent_add"), {**agent, field: typed}).content.decode())

        assert says in page
        assert not Agent.objects.exists()
        assert first.post(reverse("admin:orchestrator_agent_add"), {**agent, "allowed_tools": ""}).status_code == 302
        assert Agent.objects.get().allowed_tools == []

    def test_are_drafted_with_their_author(self, first, unit):
        owner = make.person("owner")
        agent = {"name": "clerk", "unit_id": str(unit.pk), "owner": owner.pk, "allowed_tools": '["*"]', "egress": "[]",
                 "input_schema": "{}", "output_schema": "{}"}  # fmt: skip
        place = {
            "name": "south",
            "title": "South",
            "parent": str(unit.pk),
            "owner": "",
            "currency": "EUR",
            "time_zone": "Europe/Oslo",
        }

        first.post(reverse("admin:orchestrator_agent_add"), agent)
        first.post(reverse("admin:budgets_businessunit_add"), place)

        assert Agent.objects.get(name="clerk").edited_by.username == "ann"
        assert BusinessUnit.objects.get(name="south").status == "draft"

    @pytest.mark.parametrize("model", ["orchestrator_agent", "budgets_businessunit", "approvals_escalationlevel"])
    def test_offer_people_to_whoever_may_not_search_accounts(self, first, unit, model):
        olga = make.person("olga")

        page = first.get(reverse(f"admin:{model}_add")).content.decode()

        assert f'<option value="{olga.pk}">olga</option>' in page
        assert "autocomplete/" not in page

    def test_name_their_owner_and_lead_to_no_page_that_is_refused(self, first, unit):
        make.agent("clerk", of=unit, owner=make.person("olga"))
        (clerk,) = Agent.objects.filter(name="clerk")

        page = first.get(address(clerk, "change")).content.decode()

        assert '<div class="readonly">olga</div>' in page
        assert "/admin/auth/user/" not in page

    def test_with_a_host_that_is_none_are_refused(self, first, unit):
        agent = {"name": "clerk", "unit_id": str(unit.pk), "owner": make.person("owner").pk, "allowed_tools": "[]",
                 "egress": '["https://evil.example/"]', "input_schema": "{}", "output_schema": "{}"}  # fmt: skip

        page = first.post(reverse("admin:orchestrator_agent_add"), agent).content.decode()

        assert "names no host. Write erp.bank.example" in page
        assert not Agent.objects.exists()

    def test_that_changed_meanwhile_are_compared_by_the_names_of_people_and_units(self, first, second, unit):
        agent = {"name": "clerk", "unit_id": str(unit.pk), "owner": make.person("olga").pk, "allowed_tools": "[]", "egress": "[]",
                 "input_schema": "{}", "output_schema": "{}"}  # fmt: skip
        first.post(reverse("admin:orchestrator_agent_add"), agent)
        draft = Agent.objects.get(name="clerk")
        read = reading(second, draft)
        first.post(address(draft, "change"), {**agent, "owner": make.person("nina").pk})

        page = re.sub("<[^>]+>", "", second.post(address(draft, "activate"), read).content.decode())

        assert "olga" in page
        assert "nina" in page


class TestServiceToken:
    def test_can_only_be_looked_at(self, first, unit):
        token = ServiceToken.objects.create(
            prefix="hp_abc", secret_hash="f" * 64, agent="a", unit_id=unit.pk, scopes=[], expires_at="2030-01-01T00:00Z"
        )
        page = first.get(reverse("admin:orchestrator_servicetoken_change", args=[token.pk])).content.decode()

        assert "f" * 64 not in page
        assert first.get(reverse("admin:orchestrator_servicetoken_add")).status_code == 403

    def test_has_its_history_in_the_audit_log(self, first, unit):
        token = ServiceToken.objects.create(
            prefix="hp_abc", secret_hash="f" * 64, agent="a", unit_id=unit.pk, scopes=[], expires_at="2030-01-01T00:00Z"
        )

        history = first.get(reverse("admin:orchestrator_servicetoken_history", args=[token.pk]))

        assert history["Location"] == f"/audit/?object={token.pk}"

    def test_tells_no_letter_of_its_hash(self, first):
        listed = reverse("admin:orchestrator_servicetoken_changelist")

        assert first.get(listed, {"secret_hash__startswith": "f"}).status_code == 400


class TestAnAddress:
    """One that was typed or shared may ask for anything."""

    # The database refuses the query: no other one would do in the same transaction.
    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("looked_for", [{"status__exact": "\0"}, {"status__regex": "("}])
    def test_that_looks_for_what_no_column_holds_is_not_understood(self, first, looked_for):
        assert first.get(reverse(LIST), looked_for).status_code == 400

    def test_narrows_a_list_by_nothing_that_it_does_not_offer(self, first, django_user_model):
        root = browser_of(django_user_model.objects.create_superuser("root"))

        assert first.get(reverse(LIST), {"activated_at__year": "99999999999"}).status_code == 400
        assert root.get(reverse("admin:auth_user_changelist"), {"date_joined__year": "99999999999"}).status_code == 400
        assert root.get(reverse("admin:auth_user_changelist"), {"is_staff__exact": "1"}).status_code == 200

    def test_fills_no_moment_into_a_form(self, first):
        page = first.get(reverse("admin:budgets_price_add"), {"name": "frame", "valid_from": "2026-01-01"})

        assert 'name="name" value="frame"' in page.content.decode()


class TestDoor:
    def test_tells_somebody_without_the_role_what_it_takes(self, as_grace):
        reply = as_grace.get("/admin/", follow=True)

        assert reply.status_code == 403
        assert "administrator role" in reply.content.decode()

    def test_records_whoever_is_let_in_and_may_not_open_a_page(self, unit):
        clerk = browser_of(make.person("clerk", "view", of=unit, staff=True))

        replies = [clerk.get(reverse("admin:auth_user_changelist")), clerk.post(reverse("admin:auth_group_add"), {})]

        entries = AuditEvent.objects.filter(event="request.refused", actor_name="clerk").order_by("seq")
        assert [reply.status_code for reply in replies] == [403, 403]
        assert [json.loads(entry.data)["route"] for entry in entries] == [
            "GET /admin/auth/user/",
            "POST /admin/auth/group/add/",
        ]
        for reply, entry in zip(replies, entries, strict=True):
            assert f"The attempt was recorded as <code>{entry.pk}</code>" in reply.content.decode()

    def test_says_nothing_of_recent_actions_which_it_does_not_know(self, first):
        first.post(reverse(ADD), RULE)

        assert "Recent actions" not in first.get("/admin/").content.decode()

    def test_sends_whoever_is_not_signed_in_to_the_one_sign_in_page(self, db, client):
        assert client.get("/admin/")["Location"].startswith("/login/?next=%2Fadmin%2F")
