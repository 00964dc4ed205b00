"""When nobody decides: reminders, levels and the mark "overdue", each once, by the database's clock, across restarts."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, transaction
from django.db.models.functions import Now

from approvals import operations as approvals
from approvals.models import ApprovalRequest, Escalation, EscalationLevel
from approvals.models.notice import Notice, NoticeKind
from approvals.notifying.spread import concerned
from approvals.operations import delegations
from approvals.operations.escalation import escalate_due
from approvals.queries.queue import QueueFilters, queue
from audit import actors, lifecycle
from audit.definitions import activate, draft, retire
from audit.models import AuditEvent
from orchestrator.engine.sweep import sweep
from tests import make, worlds

pytestmark = pytest.mark.django_db
CLOCK = actors.system("test")
DAY = 24 * 3600


@pytest.fixture
def world():
    return worlds.world()


@pytest.fixture
def waiting(world):
    return worlds.request(world)


def level(name, percent, *, unit=None, **asked):
    row = EscalationLevel(name=name, after_percent=percent, unit_id=unit, **asked)
    draft(row, by=make.MAKER)
    activate(row, by=make.MAKER)
    return row


def user(actor):
    return get_user_model().objects.get(pk=actor.user_id)


def age(request, percent):
    """Let so much of the time to decide be over."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE approvals_approvalrequest SET created_at = clock_timestamp() - make_interval(secs => %s),"
            " decide_by = clock_timestamp() + make_interval(secs => %s),"
            " next_notice_at = least(next_notice_at, clock_timestamp()) WHERE id = %s",
            [DAY * percent / 100, DAY * (100 - percent) / 100, request.pk],
        )


def steps(request):
    return [row.step for row in Escalation.objects.filter(request=request).order_by("due_at")]


class TestReminders:
    @pytest.mark.parametrize(
        ("percent", "taken"),
        [(10, []), (49, []), (51, ["reminder-50"]), (89, ["reminder-50"]), (91, ["reminder-50", "reminder-90"])],
    )
    def test_come_at_half_and_at_nine_tenths_of_the_time(self, waiting, percent, taken):
        age(waiting, percent)

        assert escalate_due(by=CLOCK) == len(taken)
        assert steps(waiting) == taken

    def test_come_once_however_often_it_is_swept(self, waiting):
        age(waiting, 60)

        assert [escalate_due(by=CLOCK) for _ in range(3)] == [1, 0, 0]
        ApprovalRequest.objects.update(next_notice_at=None)  # as after a restore from an older backup of this column
        assert escalate_due(by=CLOCK) == 0

    def test_are_recorded_with_the_time_they_were_due_and_the_time_they_were_taken(self, waiting):
        age(waiting, 60)
        escalate_due(by=CLOCK)

        row, event = Escalation.objects.get(), AuditEvent.objects.get(event="approval_request.reminded")
        assert 0.09 * DAY < (row.at - row.due_at).total_seconds() < 0.11 * DAY
        assert event.object_id == waiting.pk
        assert row.due_at.isoformat() in event.data

    def test_do_not_come_for_what_is_decided(self, world, waiting):
        approvals.reject(request_id=waiting.pk, by=world.grace, voice=make.voice(waiting, "duplicate", by=world.grace))
        age(waiting, 95)

        assert escalate_due(by=CLOCK) == 0

    def test_are_planned_so_that_nothing_is_looked_at_before_its_time(self, waiting):
        escalate_due(by=CLOCK)

        waiting.refresh_from_db()
        assert waiting.next_notice_at == waiting.created_at + (waiting.decide_by - waiting.created_at) / 2
        assert not ApprovalRequest.objects.filter(next_notice_at__lte=Now()).exists()

    def test_are_planned_at_birth_no_later_than_the_first_rung_of_any_ladder(self, world, waiting):
        assert waiting.next_notice_at == waiting.created_at + (waiting.decide_by - waiting.created_at) / 2
        level("early", 10, person=user(world.linus))

        later = make.request(of=world.unit)

        assert later.next_notice_at == later.created_at + (later.decide_by - later.created_at) / 10

    def test_wait_with_a_deadline_that_was_moved(self, waiting):
        age(waiting, 60)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE approvals_approvalrequest SET decide_by = decide_by + interval '10 days'")

        assert escalate_due(by=CLOCK) == 0
        waiting.refresh_from_db()
        assert waiting.next_notice_at > waiting.created_at

    def test_come_by_the_engines_sweep(self, waiting):
        age(waiting, 60)
        sweep()

        assert steps(waiting) == ["reminder-50"]


class TestLevels:
    def test_ask_a_group_or_a_person_in_addition(self, world, waiting):
        level("risk", 60, group=Group.objects.create(name="Risk desk"))
        level("head", 80, person=user(world.linus))
        age(waiting, 85)
        escalate_due(by=CLOCK)

        assert steps(waiting) == ["reminder-50", "level-risk", "level-head"]
        asked = Escalation.objects.filter(kind="level").order_by("due_at").values_list("asked_name", flat=True)
        assert list(asked) == ["Risk desk", "linus"]
        assert AuditEvent.objects.filter(event="approval_request.escalated").count() == 2

    def test_tell_the_stand_in_of_who_is_away_and_are_in_the_queue_of_both(self, world, waiting):
        now = lifecycle.database_now()
        delegations.go_away(
            away_from=now, away_until=now + timedelta(days=1), stand_in=world.grace.user_id, by=world.linus
        )
        level("head", 10, person=user(world.linus))
        age(waiting, 20)
        escalate_due(by=CLOCK)

        assert concerned(Notice.objects.get(kind=NoticeKind.ESCALATED)) == {world.grace.user_id}
        for one in (world.linus, world.grace):
            assert queue(one, QueueFilters(held="me")).get() == waiting

    def test_of_a_unit_stand_before_those_of_its_parents_and_of_every_unit(self, world):
        level("anywhere", 10, person=user(world.linus))
        below = make.unit("payments", parent=world.unit)
        level("finance", 10, unit=world.unit.pk, person=user(world.linus))
        inherited = make.request(of=below)
        age(inherited, 20)
        escalate_due(by=CLOCK)
        assert steps(inherited) == ["level-finance"]

        level("payments", 10, unit=below.pk, person=user(world.grace))
        own = make.request(of=below)
        age(own, 20)
        escalate_due(by=CLOCK)
        assert steps(own) == ["level-payments"]

    def test_reach_what_waited_before_they_came_into_force(self, world, waiting):
        escalate_due(by=CLOCK)
        level("early", 10, person=user(world.linus))

        waiting.refresh_from_db()
        tenth = (waiting.decide_by - waiting.created_at) / 10
        assert abs(waiting.next_notice_at - waiting.created_at - tenth).total_seconds() < 0.001

    def test_in_a_new_version_do_not_ask_again(self, world, waiting):
        first = level("head", 10, person=user(world.linus))
        age(waiting, 20)
        escalate_due(by=CLOCK)
        second = EscalationLevel(name="head", version=2, after_percent=15, person=user(world.grace))
        draft(second, by=make.MAKER)
        activate(second, by=make.MAKER)
        first.refresh_from_db()
        assert first.status == "retired"

        age(waiting, 30)

        assert escalate_due(by=CLOCK) == 0

    def test_retired_ask_nobody(self, world, waiting):
        retire(level("head", 10, person=user(world.linus)), by=make.MAKER)
        age(waiting, 20)

        assert escalate_due(by=CLOCK) == 0

    def test_open_no_right_to_sign(self, world, waiting):
        level("ada", 10, person=user(world.ada))
        age(waiting, 20)
        escalate_due(by=CLOCK)

        with pytest.raises(Exception, match="reviewer role"):
            approvals.approve(request_id=waiting.pk, by=world.ada, voice=make.voice(waiting, by=world.ada))

    def test_ask_exactly_one_kind(self, world):
        with pytest.raises(DatabaseError, match="asks_a_group_or_a_person"), transaction.atomic():
            draft(EscalationLevel(name="nobody", after_percent=10), by=make.MAKER)


class TestOverdue:
    def test_is_marked_once_where_a_request_goes_on_waiting(self, world):
        make.policy(name="hold", tool="pay", condition="", required=1, on_timeout="hold", reason="Look")
        held = worlds.request(world)
        age(held, 101)

        assert [escalate_due(by=CLOCK), escalate_due(by=CLOCK)] == [3, 0]
        assert steps(held)[-1] == "overdue"
        held.refresh_from_db()
        assert held.status == "pending"

    def test_is_no_step_of_what_ends_with_its_time(self, waiting):
        age(waiting, 101)
        sweep()

        assert "overdue" not in steps(waiting)
        waiting.refresh_from_db()
        assert waiting.status == "expired"


class TestRecord:
    def test_is_append_only(self, waiting):
        age(waiting, 60)
        escalate_due(by=CLOCK)

        for change in ("UPDATE approvals_escalation SET step = 'x'", "DELETE FROM approvals_escalation"):
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(change)
