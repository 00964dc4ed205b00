"""Engaging is easy and lifting deliberate; clocks stand still exactly as long as a stop covers their request."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db.models import F
from django.db.models.functions import Now

from approvals import operations as approvals
from approvals.models import ApprovalRequest, Stop, StopScope
from approvals.operations import TooLate, clocks, stops
from approvals.operations.stops import NeedsAnother, Target
from approvals.rules.stopped import Stopped, covering
from audit.actors import agent, person, system
from audit.definitions import activate, draft
from audit.models import AuditEvent
from audit.refusals import Forbidden, Invalid, NotVisible, Stale
from budgets.models import BusinessUnit
from budgets.permissions import grant
from orchestrator.gate.redeem import redeem
from tests import make as make_accounts
from tests import worlds as make
from tests.signing import voice

SWEEP = system("engine")


@pytest.fixture
def world(db):
    return make.world()


def administrator(name):
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="change_approvalpolicy"))
    return person(user.pk, name)


def engage(world, by=None, reason="it pays twice", **target):
    chosen = {"scope": StopScope.UNIT, "unit_id": world.unit.pk, **target}
    return stops.engage(target=Target(**chosen), by=by or world.ada, reason=reason)


def lift(stop, by, why="it pays once again"):
    return stops.lift(stop_id=stop.pk, by=by, why=why)


def ago(row, column, seconds):
    """Let time pass for one moment of a row."""
    type(row).objects.filter(pk=row.pk).update(**{column: F(column) - timedelta(seconds=seconds)})


def events(pk):
    return [event.event for event in AuditEvent.objects.filter(object_id=pk).order_by("seq")]


class TestEngage:
    def test_takes_one_operator_and_a_reason_and_is_recorded(self, world):
        stop = engage(world)

        assert (stop.status, stop.engaged_by_name) == ("engaged", "ada")
        event = AuditEvent.objects.get(event="stop.engaged")
        assert (event.object_id, event.why, event.unit_id) == (stop.pk, "it pays twice", world.unit.pk)

    def test_twice_is_once(self, world):
        assert engage(world).pk == engage(world, reason="again").pk
        assert Stop.objects.count() == 1

    def test_without_a_reason_is_refused(self, world):
        with pytest.raises(Invalid):
            engage(world, reason="  ")

    def test_by_a_reviewer_is_refused(self, world):
        with pytest.raises(Forbidden, match="operator role in Finance"):
            engage(world, by=world.grace)

    def test_by_an_agent_is_refused(self, world):
        clerk = agent("clerk", unit_ids=frozenset({world.unit.pk}), scopes=frozenset())
        with pytest.raises(Forbidden, match="Only people"):
            engage(world, by=clerk)

    @pytest.mark.parametrize("everywhere", [{"scope": StopScope.EVERYTHING}, {"scope": StopScope.TOOL, "tool": "pay"}])
    def test_everywhere_takes_an_administrator(self, world, everywhere):
        with pytest.raises(Forbidden, match="administrator"):
            engage(world, unit_id=None, **everywhere)

        assert engage(world, by=administrator("root"), unit_id=None, **everywhere).unit_id is None

    @pytest.mark.parametrize("scope", [StopScope.AGENT, StopScope.TOOL])
    def test_of_nothing_in_particular_is_refused(self, world, scope):
        with pytest.raises(Invalid):
            engage(world, scope=scope)

    def test_of_a_unit_that_is_not_there_is_refused(self, world):
        from audit.ids import new_id

        with pytest.raises(NotVisible):
            engage(world, unit_id=new_id())


class TestLift:
    def test_needs_a_reason_worth_the_name(self, world):
        stop = engage(world)
        with pytest.raises(Invalid, match="why it is safe"):
            lift(stop, world.ada, why="ok")

    def test_of_one_unit_may_be_done_by_whoever_stopped_it(self, world):
        stop = lift(engage(world), world.ada)

        stop.refresh_from_db()
        assert (stop.status, stop.lifted_by_name, stop.lifted_why) == ("lifted", "ada", "it pays once again")
        assert events(stop.pk) == ["stop.engaged", "stop.lifted"]

    def test_of_everything_takes_another_administrator(self, world):
        root, other = administrator("root"), administrator("other")
        stop = engage(world, by=root, scope=StopScope.EVERYTHING, unit_id=None)

        with pytest.raises(NeedsAnother):
            lift(stop, root)
        assert lift(stop, other).status == "lifted"

    def test_of_everything_is_not_for_the_same_person_under_another_account(self, world):
        root, also_root = administrator("root"), administrator("also_root")
        users = get_user_model().objects.filter(pk__in=[root.user_id, also_root.user_id])
        make_accounts.linked("root", *users)
        stop = engage(world, by=root, scope=StopScope.EVERYTHING, unit_id=None)

        with pytest.raises(NeedsAnother):
            lift(stop, also_root)

    def test_by_a_reviewer_is_refused(self, world):
        with pytest.raises(Forbidden):
            lift(engage(world), world.grace)

    def test_by_a_stranger_finds_nothing(self, world):
        with pytest.raises(NotVisible):
            lift(engage(world), world.eve)

    def test_twice_is_refused(self, world):
        stop = lift(engage(world), world.ada)
        with pytest.raises(Stale):
            lift(stop, world.ada)

    def test_leaves_the_way_free_for_the_next_stop(self, world):
        lift(engage(world), world.ada)

        assert engage(world).status == "engaged"


class TestCovering:
    def test_reaches_every_unit_below_and_none_beside(self, world):
        below = BusinessUnit(name="below", title="Below", parent=world.unit)
        beside = BusinessUnit(name="beside", title="Beside")
        for unit in (below, beside):
            draft(unit, by=make.SETUP)
            activate(unit, by=make.SETUP)
        stop = engage(world)

        assert covering(unit_id=below.pk) == [stop]
        assert covering(unit_id=beside.pk) == []

    def test_of_an_agent_stays_in_its_unit(self, world):
        stop = engage(world, scope=StopScope.AGENT, agent="clerk")

        assert covering(unit_id=world.unit.pk, agents=["clerk"], tool="pay") == [stop]
        assert covering(unit_id=world.unit.pk, agents=["other"], tool="pay") == []


class TestClocks:
    def test_of_a_waiting_request_move_by_the_time_it_stood_still(self, world):
        request = make.request(world)
        stop = engage(world)
        request.refresh_from_db()
        assert request.frozen_at == Stop.objects.get().engaged_at
        ago(request, "frozen_at", 1800)

        lift(stop, world.ada)

        before = request.decide_by
        request.refresh_from_db()
        assert timedelta(seconds=1800) <= request.decide_by - before < timedelta(seconds=1860)
        assert request.frozen_at is None
        assert events(request.pk)[-2:] == ["approval_request.frozen", "approval_request.thawed"]

    def test_that_a_race_left_standing_give_an_approval_no_time_from_before_it(self, world):
        request = make.request(world)
        # The row was frozen by a sweep that saw the stop just before it was lifted, hours after it began.
        ApprovalRequest.objects.filter(pk=request.pk).update(frozen_at=Now() - timedelta(hours=3))
        request = approvals.approve(request_id=request.pk, by=world.grace, voice=voice(request, by=world.grace))
        clocks.keep()

        before = request.use_by
        request.refresh_from_db()
        assert request.frozen_at is None
        assert request.use_by - before < timedelta(minutes=1)

    def test_of_an_approved_request_move_too_and_it_is_still_usable(self, world):
        request = make.request(world)
        approvals.approve(request_id=request.pk, by=world.grace, voice=voice(request, by=world.grace))
        stop = engage(world)
        for column in ("use_by", "resolved_at", "frozen_at"):
            ago(request, column, 7200)

        assert approvals.expire_overdue(by=SWEEP) == 0
        lift(stop, world.ada)

        assert redeem(action_id=request.subject_id, by=make.SETUP).fence

    def test_that_stand_still_let_nothing_expire(self, world):
        request = make.request(world)
        engage(world)
        for column in ("decide_by", "frozen_at"):
            ago(request, column, 2 * 24 * 3600)

        assert approvals.expire_overdue(by=SWEEP) == 0
        request.refresh_from_db()
        assert request.status == "pending"

    def test_that_ran_out_before_the_stop_are_not_saved_by_it(self, world):
        request = make.request(world)
        ago(request, "decide_by", 2 * 24 * 3600)
        engage(world)

        request.refresh_from_db()
        assert request.frozen_at is None
        assert approvals.expire_overdue(by=SWEEP) == 1

    def test_run_again_only_when_the_last_stop_is_lifted(self, world):
        request = make.request(world)
        first, second = engage(world), engage(world, scope=StopScope.TOOL, tool="pay")

        lift(first, world.ada)
        request.refresh_from_db()
        assert request.frozen_at is not None
        lift(second, world.ada)
        request.refresh_from_db()
        assert request.frozen_at is None

    def test_of_a_request_asked_meanwhile_stand_still_from_its_first_moment(self, world):
        engage(world)
        request = make.request(world)

        assert request.frozen_at is not None
        assert request.decide_by - request.frozen_at == timedelta(days=1)

    def test_that_a_race_left_running_are_caught_up_exactly(self, world):
        """The request was locked by somebody while the stop was engaged."""
        request = make.request(world)
        stop = engage(world)
        ApprovalRequest.objects.filter(pk=request.pk).update(frozen_at=None, decide_by=Now() + timedelta(seconds=1))
        ago(stop, "engaged_at", 600)

        assert clocks.freeze() == 1
        request.refresh_from_db()
        assert request.frozen_at == max(Stop.objects.get().engaged_at, request.created_at)

    def test_that_a_race_left_standing_run_again(self, world):
        request = make.request(world)
        ApprovalRequest.objects.filter(pk=request.pk).update(frozen_at=Now())

        assert clocks.thaw() == 1
        assert clocks.thaw() == 0

    def test_of_what_is_not_covered_run_on(self, world):
        request = make.request(world)
        engage(world, scope=StopScope.TOOL, tool="wire")

        request.refresh_from_db()
        assert request.frozen_at is None


class TestDeciding:
    def test_to_approve_waits_for_the_stop(self, world):
        request = make.request(world)
        engage(world)

        with pytest.raises(Stopped, match="rejecting is possible"):
            approvals.approve(request_id=request.pk, by=world.grace, voice=voice(request, by=world.grace))
        request.refresh_from_db()
        assert (request.status, request.decisions.count()) == ("pending", 0)

    def test_to_give_the_result_oneself_waits_for_it_too(self, world):
        request = make.request(world)
        engage(world)

        with pytest.raises(Stopped, match="Nothing was recorded"):
            approvals.answer(
                request_id=request.pk, by=world.grace, voice=voice(request, "duplicate", by=world.grace), result={}
            )
        assert ApprovalRequest.objects.get(pk=request.pk).status == "pending"

    def test_to_reject_is_possible_even_past_the_frozen_deadline(self, world):
        request = make.request(world)
        engage(world)
        ago(request, "decide_by", 2 * 24 * 3600)

        approvals.reject(request_id=request.pk, by=world.grace, voice=voice(request, "not_allowed", by=world.grace))

        request.refresh_from_db()
        assert request.status == "rejected"

    def test_in_time_is_asked_for_as_ever_where_nothing_is_stopped(self, world):
        request = make.request(world)
        ago(request, "decide_by", 2 * 24 * 3600)

        with pytest.raises(TooLate):
            approvals.approve(request_id=request.pk, by=world.grace, voice=voice(request, by=world.grace))


class TestGrantedElsewhere:
    def test_whoever_operates_the_unit_above_may_stop_the_one_below(self, world):
        above = BusinessUnit(name="group", title="Group")
        draft(above, by=make.SETUP)
        activate(above, by=make.SETUP)
        BusinessUnit.objects.filter(pk=world.unit.pk).update(parent=above)
        grant(get_user_model().objects.get(username="eve"), "operate", above)

        assert engage(world, by=world.eve).status == "engaged"
