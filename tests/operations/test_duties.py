"""Separation of duties, duty by duty: refused at the decision, and counted out at the dispatch."""

import pytest

from approvals.models import Bypass, LinkedAccounts
from approvals.operations import NotUsable, use
from approvals.queries import waiting_for
from approvals.rules.permissions import AlreadySigned, OwnRequest
from audit.definitions import NeedsTwo, SamePerson, activate, draft, edit, retire
from orchestrator.gate.redeem import Void, redeem
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def grace():
    return make.person("grace", "view", "review")


@pytest.fixture
def linus():
    return make.person("linus", "view", "review")


@pytest.fixture
def second_account():
    """Another account of grace's; nothing links the two yet."""
    return make.person("grace2", "view", "review")


def by_two(row, author):
    """Drafted by a person, put in force by the system."""
    draft(row, by=make.actor(author))
    activate(row, by=make.MAKER)
    return row


def refused(request, user, says):
    with pytest.raises(OwnRequest, match=says):
        make.approved(request, user)
    with pytest.raises(OwnRequest, match=says):
        make.rejected(request, user)
    assert not waiting_for(make.actor(user)).filter(pk=request.pk).exists()


class TestWhoCannotSign:
    def test_is_whoever_asked(self, grace):
        refused(make.request(by=make.actor(grace)), grace, "You asked for this action, so")

    def test_is_the_owner_of_the_agent(self, grace):
        make.agent("poster", owner=grace)

        refused(make.request(), grace, "You own the agent poster")

    def test_is_the_person_the_agent_acts_for(self, grace):
        refused(make.request(context={"requester": "grace"}), grace, "You are the person the agent acts for")

    @pytest.mark.parametrize("name", ["Grace", " grace ", "G.Hopper@Example.com"])
    def test_is_that_person_however_the_agent_writes_them(self, grace, name):
        type(grace).objects.filter(pk=grace.pk).update(email="g.hopper@example.com")

        refused(make.request(context={"requester": name}), grace, "You are the person the agent acts for")

    def test_is_whoever_drafted_the_bypass_that_asks_for_fewer(self, grace):
        row = make.tool("wire", tier="financial")
        by_two(
            Bypass(name="quarter-end", tool="wire", tier="customer_facing", reason="the second one is ill today"), grace
        )

        refused(make.request(using=row), grace, "You edited the bypass quarter-end, under which fewer people sign")

    def test_is_whoever_edited_the_tool(self, grace):
        from orchestrator.models import Tool

        row = Tool(name="wire", version="1", effect="write", tier="customer_facing")
        by_two(row, grace)

        refused(make.request(using=row), grace, "You edited the tool wire 1")

    def test_is_whoever_edited_the_agent(self, grace):
        from orchestrator.models import Agent

        owner = make.person("owner")
        by_two(Agent(name="poster", unit_id=make.unit().pk, owner=owner, allowed_tools=["*"]), grace)

        refused(make.request(), grace, "You edited the agent poster v1")

    def test_is_whoever_edited_a_policy_that_holds(self, grace, linus):
        from approvals.models import ApprovalPolicy

        row = ApprovalPolicy(name="always", tool="*", required=1, reason="always")
        draft(row, by=make.actor(grace))
        row.reason = "whatever it is"
        edit(row, by=make.actor(linus), changed=["reason"])
        activate(row, by=make.MAKER)
        request = make.request()

        refused(request, linus, "You edited the policy always v1")
        refused(request, grace, "You edited the policy always v1")

    def test_is_whoever_published_the_workflow(self, grace, tmp_path):
        from orchestrator.models import Execution
        from orchestrator.operations import executions
        from orchestrator.releases.bundle import publish

        make.tool()
        make.agent()
        make.agent("looker")
        publish(
            make.folder(tmp_path / "closing", make.WORKFLOW.format(name="closing", attempts=1)), by=make.actor(grace)
        )
        asker = make.actor(make.person("ada", "view", "operate"))
        started = executions.start(workflow="closing", input={}, unit="finance", by=asker)
        make.at_second_step(started)
        held = make.held_in(Execution.objects.get(pk=started.pk))

        from approvals.models import ApprovalRequest

        refused(ApprovalRequest.objects.get(pk=held.approval_id), grace, "You published the workflow closing 1.0.0")

    def test_is_anybody_of_these_under_another_account(self, grace, second_account):
        make.linked("grace", grace, second_account)

        refused(make.request(by=make.actor(grace)), second_account, "You asked for this action under another account")


class TestWhoSignedAndTookADutySince:
    @pytest.mark.parametrize("duty", ["owner", "editor"])
    def test_does_not_count_at_the_dispatch(self, duty, grace):
        from orchestrator.models import Agent

        request = make.approved(make.request(), grace)
        owner = grace if duty == "owner" else make.person("somebody")
        row = Agent(name="poster", version=2, unit_id=make.unit().pk, owner=owner, allowed_tools=["*"])
        by_two(row, grace if duty == "editor" else make.person("editor"))

        with pytest.raises(Void) as refusal:
            redeem(action_id=request.subject_id, by=make.MAKER)

        assert refusal.value.code == "signature_revoked"


class TestASecondAccountOfOnePerson:
    @pytest.fixture
    def linked(self, grace, second_account):
        return make.linked("grace", grace, second_account)

    @pytest.fixture
    def same_address(self, grace, second_account):
        for user, address in ((grace, "Grace@example.org"), (second_account, "grace@EXAMPLE.org")):
            user.email = address
            user.save()

    @pytest.mark.parametrize("known", ["linked", "same_address"])
    def test_gives_no_second_signature(self, known, request, grace, second_account, linus):
        request.getfixturevalue(known)
        make.policy()
        asked = make.approved(make.request("4860.00"), grace)

        with pytest.raises(AlreadySigned, match="under another account of yours"):
            make.approved(asked, second_account)
        assert not waiting_for(make.actor(second_account)).exists()
        assert make.approved(asked, linus).status == "approved"

    def test_found_out_after_both_signed_opens_no_dispatch(self, grace, second_account):
        make.policy()
        asked = make.approved(make.approved(make.request("4860.00"), grace), second_account)
        make.linked("grace", grace, second_account)

        with pytest.raises(NotUsable) as refusal:
            use(subject_id=asked.subject_id, digest=asked.digest, by=make.MAKER)
        assert (asked.status, refusal.value.code) == ("approved", "signature_revoked")

    def test_of_the_requester_found_out_after_signing_opens_no_dispatch(self, grace, second_account):
        asked = make.approved(make.request(by=make.actor(grace)), second_account)
        make.linked("grace", grace, second_account)

        with pytest.raises(Void, match="no longer counts"):
            redeem(action_id=asked.subject_id, by=make.MAKER)

    def test_without_an_address_is_not_linked_by_it(self, grace, second_account):
        make.policy()

        assert make.approved(make.approved(make.request("4860.00"), grace), second_account).status == "approved"

    def test_does_not_activate_what_the_other_one_drafted(self, linked, grace, second_account):
        from approvals.models import ApprovalPolicy

        row = ApprovalPolicy(name="mine", tool="*", required=0, reason="mine")
        draft(row, by=make.actor(grace))

        with pytest.raises(SamePerson, match="under another account of yours"):
            activate(row, by=make.actor(second_account))

    def test_is_not_unlinked_by_one_person_alone(self, linked, linus):
        with pytest.raises(NeedsTwo):
            retire(LinkedAccounts.objects.active().get(), by=make.actor(linus))
