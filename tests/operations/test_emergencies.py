"""Break-glass skips waiting, never the record; a bypass has an end, two administrators, and a trace on every action."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError
from django.db.models import F

from approvals import operations as approvals
from approvals.models import ApprovalRequest, BreakGlass, Bypass, Decision, StopScope
from approvals.operations import Changed, TooLate, emergencies
from approvals.operations.stops import Target, engage
from approvals.rules import bypasses
from approvals.rules.permissions import OwnRequest
from approvals.rules.stopped import Stopped
from audit.actors import agent, person, system
from audit.definitions import SamePerson, activate, draft
from audit.models import AuditEvent
from audit.refusals import Forbidden, Invalid, NotVisible, Stale
from orchestrator.gate.judge import judge
from orchestrator.gate.propose import propose
from orchestrator.gate.redeem import Void, redeem
from tests import worlds as make
from tests.signing import voice

REASON = "The bank closes in ten minutes and nobody else answers"


@pytest.fixture
def world(db):
    return make.world()


@pytest.fixture
def request_(world):
    """Two must sign."""
    return make.request(world, tool="wire")


def break_glass(request, by, reason=REASON):
    return emergencies.break_glass(request_id=request.pk, by=by, voice=voice(request, by=by), reason=reason)


def look(glass, by, justified=True, note="I called the bank myself"):
    return emergencies.look_afterwards(glass_id=glass.pk, by=by, justified=justified, note=note)


class TestBreakGlass:
    def test_lets_one_reviewer_sign_alone_and_records_it(self, world, request_):
        break_glass(request_, world.grace)

        request_.refresh_from_db()
        assert request_.status == "approved"
        glass = BreakGlass.objects.get()
        assert (glass.status, glass.person_name, glass.reason, glass.digest) == (
            "open", "grace", REASON, request_.digest,
        )  # fmt: skip
        assert Decision.objects.get().person_name == "grace"
        told = [event.event for event in AuditEvent.objects.filter(object_id=request_.pk).order_by("seq")]
        assert "approval_request.glass_broken" in told

    def test_opens_the_dispatch(self, world, request_):
        break_glass(request_, world.grace)

        assert redeem(action_id=request_.subject_id, by=make.SETUP).fence

    def test_opens_no_dispatch_once_the_person_has_lost_the_role(self, world, request_):
        break_glass(request_, world.grace)
        get_user_model().objects.filter(username="grace").update(is_active=False)

        with pytest.raises(Void):
            redeem(action_id=request_.subject_id, by=make.SETUP)

    def test_is_possible_for_whoever_has_signed_already(self, world, request_):
        approvals.approve(request_id=request_.pk, by=world.grace, voice=voice(request_, by=world.grace))

        break_glass(request_, world.grace)

        request_.refresh_from_db()
        assert (request_.status, request_.decisions.count()) == ("approved", 1)

    @pytest.mark.parametrize("reason", ["", "urgent", " " * 30, "x" * 19])
    def test_needs_a_reason_worth_the_name(self, world, request_, reason):
        with pytest.raises(Invalid):
            break_glass(request_, world.grace, reason)
        assert not BreakGlass.objects.exists()

    def test_is_refused_where_one_signature_is_enough(self, world):
        with pytest.raises(emergencies.NoEmergency):
            break_glass(make.request(world), world.grace)

    def test_is_refused_where_ones_own_signature_completes_it(self, world, request_):
        approvals.approve(request_id=request_.pk, by=world.grace, voice=voice(request_, by=world.grace))
        with pytest.raises(emergencies.NoEmergency):
            break_glass(request_, world.linus)

    def test_is_refused_for_ones_own_request(self, world, request_):
        ApprovalRequest.objects.filter(pk=request_.pk).update(requester=world.grace.key)
        with pytest.raises(OwnRequest):
            break_glass(request_, world.grace)

    def test_is_refused_to_the_owner_of_the_agent(self, world, request_):
        with pytest.raises(OwnRequest):
            break_glass(request_, world.olga)

    def test_is_refused_without_the_reviewer_role(self, world, request_):
        with pytest.raises(Forbidden):
            break_glass(request_, world.ada)

    def test_is_refused_to_agents(self, world, request_):
        clerk = agent("clerk", unit_ids=frozenset({world.unit.pk}), scopes=frozenset())
        with pytest.raises(Forbidden, match="Only people"):
            break_glass(request_, clerk)

    def test_finds_nothing_for_a_stranger(self, world, request_):
        with pytest.raises(NotVisible):
            break_glass(request_, world.eve)

    def test_is_refused_once_it_is_decided(self, world, request_):
        break_glass(request_, world.grace)
        with pytest.raises(Stale):
            break_glass(request_, world.linus)

    def test_is_refused_over_other_bytes_than_were_read(self, world, request_):
        ApprovalRequest.objects.filter(pk=request_.pk).update(revision=2)
        with pytest.raises(Changed):
            break_glass(request_, world.grace)

    @pytest.mark.parametrize("signed_before", [False, True])
    def test_is_refused_when_the_time_is_over(self, world, request_, signed_before):
        if signed_before:
            approvals.approve(request_id=request_.pk, by=world.grace, voice=voice(request_, by=world.grace))
        ApprovalRequest.objects.filter(pk=request_.pk).update(decide_by=F("decide_by") - timedelta(days=2))
        with pytest.raises(TooLate):
            break_glass(request_, world.grace)
        assert not BreakGlass.objects.exists()

    @pytest.mark.parametrize("signed_before", [False, True])
    def test_is_refused_while_stopped(self, world, request_, signed_before):
        if signed_before:
            approvals.approve(request_id=request_.pk, by=world.grace, voice=voice(request_, by=world.grace))
        engage(target=Target(scope=StopScope.UNIT, unit_id=world.unit.pk), by=world.ada, reason="a doubt")
        with pytest.raises(Stopped):
            break_glass(request_, world.grace)
        assert not BreakGlass.objects.exists()

    def test_can_be_switched_off(self, world, request_, settings):
        settings.BREAK_GLASS = False
        with pytest.raises(Forbidden, match="switched off"):
            break_glass(request_, world.grace)

    def test_again_by_the_same_person_is_a_repeated_post_and_changes_nothing(self, world, request_):
        break_glass(request_, world.grace)

        assert break_glass(request_, world.grace).status == "approved"

        assert BreakGlass.objects.count() == 1
        assert Decision.objects.count() == 1


class TestTheSecondLook:
    @pytest.fixture
    def glass(self, world, request_):
        break_glass(request_, world.grace)
        return BreakGlass.objects.get()

    @pytest.mark.parametrize(("justified", "status"), [(True, "justified"), (False, "objected")])
    def test_closes_the_open_item(self, world, glass, justified, status):
        assert BreakGlass.objects.waiting_for(world.linus).get() == glass

        look(glass, world.linus, justified)

        glass.refresh_from_db()
        assert (glass.status, glass.reviewed_by_name, glass.note) == (status, "linus", "I called the bank myself")
        assert not BreakGlass.objects.waiting_for(world.linus).exists()

    def test_said_again_is_once_and_turned_round_is_refused(self, world, glass):
        look(glass, world.linus)

        assert look(glass, world.linus).status == "justified"
        with pytest.raises(Stale, match="already looked"):
            look(glass, world.linus, justified=False)

    def test_is_not_for_whoever_broke_the_glass(self, world, glass):
        with pytest.raises(emergencies.OwnEmergency):
            look(glass, world.grace)
        assert not BreakGlass.objects.waiting_for(world.grace).exists()

    def test_is_not_for_the_owner_of_the_agent(self, world, glass):
        with pytest.raises(OwnRequest):
            look(glass, world.olga)
        assert not BreakGlass.objects.waiting_for(world.olga).exists()

    def test_is_not_for_others_than_reviewers(self, world, glass):
        with pytest.raises(Forbidden):
            look(glass, world.ada)

    def test_finds_nothing_for_a_stranger(self, world, glass):
        with pytest.raises(NotVisible):
            look(glass, world.eve)

    def test_happens_once(self, world, glass):
        look(glass, world.linus)
        with pytest.raises(Stale):
            look(glass, world.linus, justified=False)

    def test_needs_words(self, world, glass):
        with pytest.raises(Invalid):
            look(glass, world.linus, note="ok")

    def test_by_the_same_person_is_refused_by_the_database_too(self, world, glass):
        with pytest.raises(IntegrityError):
            BreakGlass.objects.filter(pk=glass.pk).update(reviewed_by=world.grace.user_id)


def administrator(name):
    return person(get_user_model().objects.create_user(name, is_staff=True).pk, name)


def bypass(world, by, second, **fields):
    row = Bypass(**{"name": "quarter-end", "tool": "wire", "unit_id": world.unit.pk, "tier": "customer_facing",
                    "minutes": 60, "reason": "Half the reviewers are ill today", **fields})  # fmt: skip
    draft(row, by=by)
    if second is not None:
        activate(row, by=second)
    return Bypass.objects.get(pk=row.pk)


def wired(world):
    return propose(tool="wire", arguments={"amount": 1}, agent="clerk", unit_id=world.unit.pk, by=make.SETUP)


class TestABypass:
    @pytest.fixture
    def two(self, world):
        return administrator("ann"), administrator("bob")

    def test_lowers_the_tier_and_stands_on_every_action_it_let_through(self, world, two):
        row = bypass(world, *two)

        action = wired(world)

        assert (action.required, action.bypass_id, action.tier) == (1, row.pk, "financial")
        assert any("Half the reviewers are ill" in reason and "activated by bob" in reason for reason in action.reasons)
        assert action.policy_version.endswith("bypass quarter-end")
        born = AuditEvent.objects.get(object_id=action.pk, event="action.proposed")
        assert str(row.pk) in born.data

    def test_is_told_to_the_person_whom_only_the_start_of_the_execution_wants_asked(self, world, two):
        bypass(world, *two, tier="informational")

        judged = judge(
            tool="wire", arguments={"amount": 1}, agent="clerk", unit_id=world.unit.pk,
            facts={"envelope": {"approval_conditions": ["args.amount == 1"]}},
        )  # fmt: skip

        assert judged.requirement.required == 1
        lowered, wanted = judged.reasons
        assert "Bypass quarter-end: the tier is lowered to informational" in lowered
        assert wanted.startswith("Whoever started this wants a person asked")

    def test_takes_two_administrators(self, world, two):
        with pytest.raises(SamePerson):
            bypass(world, two[0], two[0])
        assert wired(world).required == 2

    def test_does_nothing_while_it_is_only_proposed(self, world, two):
        bypass(world, two[0], None)

        assert wired(world).required == 2

    def test_does_nothing_for_other_tools_agents_or_units(self, world, two):
        bypass(world, *two, tool="pay")
        bypass(world, *two, name="other-agent", agent="other")
        from audit.ids import new_id

        bypass(world, *two, name="other-unit", unit_id=new_id())

        assert wired(world).required == 2

    def test_raises_no_tier(self, world, two):
        bypass(world, *two, tool="look")
        action = propose(tool="look", arguments={}, agent="clerk", unit_id=world.unit.pk, by=make.SETUP)

        assert (action.verdict, action.bypass_id) == ("allow", None)

    def test_leaves_a_policy_as_strict_as_it_was(self, world, two):
        from approvals.models import ApprovalPolicy

        rule = ApprovalPolicy(name="always-two", tool="wire", required=2, reason="always two")
        draft(rule, by=make.SETUP)
        activate(rule, by=make.SETUP)
        bypass(world, *two, tier="informational")

        action = wired(world)
        assert (action.required, action.bypass_id) == (2, None)

    def test_ends_by_itself_recorded_or_not(self, world, two):
        row = bypass(world, *two)
        Bypass.objects.filter(pk=row.pk).update(activated_at=F("activated_at") - timedelta(minutes=61))

        assert wired(world).required == 2
        assert bypasses.end_overdue(by=system("engine")) == 1
        row.refresh_from_db()
        assert row.status == "retired"

    def test_that_has_ended_opens_no_dispatch(self, world, two):
        row = bypass(world, *two, tier="informational")
        action = wired(world)
        assert action.status == "granted"
        Bypass.objects.filter(pk=row.pk).update(activated_at=F("activated_at") - timedelta(minutes=61))

        with pytest.raises(Void):
            redeem(action_id=action.pk, by=make.SETUP)

    def test_in_force_opens_the_dispatch(self, world, two):
        bypass(world, *two, tier="informational")

        assert redeem(action_id=wired(world).pk, by=make.SETUP).fence

    @pytest.mark.parametrize("minutes", [0, 241])
    def test_lasts_no_longer_than_four_hours(self, world, two, minutes):
        with pytest.raises(IntegrityError):
            bypass(world, *two, minutes=minutes)
