"""The queue and the ways out of the ordinary course together: frozen clocks, claims in an emergency, who is told by name."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core import mail
from django.db import transaction
from django.db.models import F

from approvals import operations as approvals
from approvals.models import ApprovalRequest, BreakGlass, Claim, Escalation, EscalationLevel, Notice, StopScope
from approvals.notifying.deliver import one_round
from approvals.operations import assignments, bulk, claims, delegations, emergencies, stops
from approvals.operations.bulk import Words
from approvals.operations.bulk_rules import NotAlike, likeness
from approvals.operations.escalation import escalate_due, plan
from approvals.operations.stops import Target
from approvals.rules.holds import Held
from approvals.rules.stopped import Stopped
from audit import actors
from audit.definitions import activate, draft
from audit.lifecycle import database_now
from audit.models import AuditEvent
from audit.refusals import Forbidden
from tests import make, worlds

pytestmark = pytest.mark.django_db
CLOCK = actors.system("test")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REASON = "The bank closes in ten minutes and nobody else answers"


@pytest.fixture
def world(settings):
    settings.SITE_URL = "https://holdpoint.example"
    made = worlds.world()
    for user in get_user_model().objects.all():
        user.email = f"{user.username}@example.com"
        user.save()
    return made


@pytest.fixture
def waiting(world):
    return worlds.request(world)


def engage(world):
    target = Target(scope=StopScope.UNIT, unit_id=world.unit.pk)
    return stops.engage(target=target, by=world.ada, reason="it pays twice")


def lift(world, stop):
    stops.lift(stop_id=stop.pk, by=world.ada, why="it pays once again")


def time_passes(request, how_long, *stopped_since):
    """Every moment of the request, and of these stops, lies that much further back."""
    columns = ("created_at", "decide_by", "next_notice_at", "frozen_at")
    ApprovalRequest.objects.filter(pk=request.pk).update(**{name: F(name) - how_long for name in columns})
    for stop in stopped_since:
        type(stop).objects.filter(pk=stop.pk).update(engaged_at=F("engaged_at") - how_long)


def steps(request):
    return [row.step for row in Escalation.objects.filter(request=request).order_by("due_at")]


def told():
    """Who got which kind of mail since last asked."""
    while one_round():
        pass
    found = [(message.to[0].partition("@")[0], message.subject) for message in mail.outbox]
    mail.outbox.clear()
    return sorted((name, subject.removeprefix("[Holdpoint] ").partition(":")[0]) for name, subject in found)


def level(name, percent, **asked):
    row = EscalationLevel(name=name, after_percent=percent, **asked)
    draft(row, by=make.MAKER)
    activate(row, by=make.MAKER)


def user(actor):
    return get_user_model().objects.get(pk=actor.user_id)


class TestReminders:
    def test_do_not_come_while_a_stop_keeps_the_clock_still(self, world, waiting):
        engage(world)
        time_passes(waiting, waiting.decide_by - waiting.created_at)

        assert escalate_due(by=CLOCK) == 0
        assert steps(waiting) == []

    def test_do_not_come_when_the_stop_has_not_reached_the_request_yet(self, world, waiting):
        engage(world)
        time_passes(waiting, (waiting.decide_by - waiting.created_at) * 0.6)
        ApprovalRequest.objects.update(frozen_at=None)  # as if its row had been locked when the stop was engaged

        assert escalate_due(by=CLOCK) == 0
        waiting.refresh_from_db()
        assert waiting.is_frozen

    def test_count_out_the_time_that_stood_still(self, world, waiting):
        whole = waiting.decide_by - waiting.created_at
        time_passes(waiting, whole * 0.1)
        stop = engage(world)
        time_passes(waiting, whole * 3, stop)
        lift(world, stop)

        assert escalate_due(by=CLOCK) == 0  # three tenths of that sum would be beyond half
        time_passes(waiting, whole * 0.39)
        assert escalate_due(by=CLOCK) == 0
        time_passes(waiting, whole * 0.02)
        assert escalate_due(by=CLOCK) == 1
        assert steps(waiting) == ["reminder-50"]

    def test_count_out_one_stop_after_another(self, world, waiting):
        whole = waiting.decide_by - waiting.created_at
        for _ in range(2):
            stop = engage(world)
            time_passes(waiting, whole, stop)
            lift(world, stop)
        time_passes(waiting, whole * 0.49)
        assert escalate_due(by=CLOCK) == 0
        time_passes(waiting, whole * 0.02)

        assert escalate_due(by=CLOCK) == 1

    def test_of_overdue_do_not_mark_what_stands_still(self, world):
        make.policy(name="hold", tool="pay", condition="", required=1, on_timeout="hold", reason="Look")
        held = worlds.request(world)
        stop = engage(world)
        time_passes(held, (held.decide_by - held.created_at) * 2, stop)

        assert escalate_due(by=CLOCK) == 0
        lift(world, stop)
        assert escalate_due(by=CLOCK) == 0
        assert steps(held) == []


class TestNotices:
    def test_of_a_reminder_reach_whoever_may_sign(self, world, waiting):
        told()
        time_passes(waiting, (waiting.decide_by - waiting.created_at) * 0.6)
        escalate_due(by=CLOCK)

        assert told() == [("grace", "Still waits for you"), ("linus", "Still waits for you")]

    def test_come_once_however_often_it_is_swept(self, world, waiting):
        time_passes(waiting, (waiting.decide_by - waiting.created_at) * 0.6)
        for _ in range(3):
            escalate_due(by=CLOCK)

        assert Notice.objects.filter(kind="reminder").count() == 1

    def test_of_what_was_rolled_back_do_not_exist(self, world, waiting):
        time_passes(waiting, (waiting.decide_by - waiting.created_at) * 0.6)
        with transaction.atomic():
            escalate_due(by=CLOCK)
            assignments.assign(request_id=waiting.pk, to=world.linus.user_id, by=world.grace)
            transaction.set_rollback(True)

        assert not Notice.objects.filter(kind__in=["reminder", "assigned"]).exists()

    def test_of_a_level_reach_whom_it_asks_as_far_as_they_may_look(self, world, waiting):
        told()
        desk, stranger = Group.objects.create(name="Risk desk"), get_user_model().objects.create_user("zoe")
        user(world.linus).groups.add(desk)
        stranger.groups.add(desk)
        get_user_model().objects.filter(pk=stranger.pk).update(email="zoe@example.com")
        level("risk", 10, group=desk)
        time_passes(waiting, (waiting.decide_by - waiting.created_at) * 0.2)
        escalate_due(by=CLOCK)

        assert told() == [("linus", "Was escalated to you")]

    def test_of_overdue_reach_the_reviewers(self, world):
        make.policy(name="hold", tool="pay", condition="", required=1, on_timeout="hold", reason="Look")
        held = worlds.request(world)
        told()
        time_passes(held, (held.decide_by - held.created_at) * 1.01)
        escalate_due(by=CLOCK)

        assert Notice.objects.filter(kind="overdue").count() == 1
        # One message says everything that is due for one person.
        assert [name for name, _ in told()] == ["grace", "linus"]

    def test_of_an_assignment_reach_whoever_is_asked(self, world, waiting):
        told()
        assignments.assign(request_id=waiting.pk, to=world.linus.user_id, by=world.grace)

        assert told() == [("linus", "Was assigned to you")]

    def test_of_an_assignment_to_oneself_reach_nobody(self, world, waiting):
        told()
        assignments.assign(request_id=waiting.pk, to=world.linus.user_id, by=world.linus)

        assert told() == []

    def test_of_an_assignment_to_somebody_away_reach_their_stand_in(self, world, waiting):
        told()
        now = database_now()
        delegations.go_away(away_from=now - HOUR, away_until=now + DAY, stand_in=world.ada.user_id, by=world.linus)
        assignments.assign(request_id=waiting.pk, to=world.linus.user_id, by=world.grace)

        assert told() == [("ada", "Was assigned to you")]

    def test_that_something_waits_reach_whoever_was_lent_the_right(self, world):
        dora = make.actor(make.person("dora", "view", of=world.unit))
        get_user_model().objects.filter(pk=dora.user_id).update(email="dora@example.com")
        now = database_now()
        delegations.delegate(
            unit_id=world.unit.pk, to=dora.user_id, starts_at=now - HOUR, ends_at=now + DAY, by=world.grace
        )
        worlds.request(world)

        assert ("dora", "Waits for you") in told()


class TestClaims:
    def test_of_others_do_not_keep_an_emergency_waiting(self, world):
        request = worlds.request(world, tool="wire")
        mary = worlds._person("mary", ("view", "review"), world.unit)
        for holder in (world.linus, mary):
            claims.claim(request_id=request.pk, by=holder)
        with pytest.raises(Held):
            approvals.approve(request_id=request.pk, by=world.grace, voice=make.voice(request, by=world.grace))

        emergencies.break_glass(
            request_id=request.pk, by=world.grace, voice=make.voice(request, by=world.grace), reason=REASON
        )

        request.refresh_from_db()
        assert request.status == "approved"
        assert not Claim.objects.open().exists()
        event = AuditEvent.objects.get(event="approval_request.glass_broken")
        assert world.linus.key in event.data
        assert mary.key in event.data

    def test_stand_when_breaking_the_glass_is_refused(self, world):
        request = worlds.request(world, tool="wire")
        claims.claim(request_id=request.pk, by=world.linus)
        engage(world)

        with pytest.raises(Stopped):
            emergencies.break_glass(
                request_id=request.pk, by=world.grace, voice=make.voice(request, by=world.grace), reason=REASON
            )
        assert Claim.objects.running().filter(person_id=world.linus.user_id).exists()

    def test_do_not_keep_a_clock_running(self, world, waiting):
        claims.claim(request_id=waiting.pk, by=world.linus)
        engage(world)

        waiting.refresh_from_db()
        assert waiting.is_frozen
        with pytest.raises(Stopped):
            approvals.approve(request_id=waiting.pk, by=world.linus, voice=make.voice(waiting, by=world.linus))
        approvals.reject(request_id=waiting.pk, by=world.linus, voice=make.voice(waiting, "duplicate", by=world.linus))


class TestALentRight:
    def test_breaks_no_glass(self, world):
        dora = make.actor(make.person("dora", "view", of=world.unit))
        now = database_now()
        delegations.delegate(
            unit_id=world.unit.pk, to=dora.user_id, starts_at=now - HOUR, ends_at=now + DAY, by=world.grace
        )
        request = worlds.request(world, tool="wire")

        with pytest.raises(Forbidden, match="role itself"):
            emergencies.break_glass(request_id=request.pk, by=dora, voice=make.voice(request, by=dora), reason=REASON)
        assert not BreakGlass.objects.exists()

    def test_of_whoever_broke_it_does_not_judge_it(self, world):
        dora = make.actor(make.person("dora", "view", of=world.unit))
        request = worlds.request(world, tool="wire")
        emergencies.break_glass(
            request_id=request.pk, by=world.grace, voice=make.voice(request, by=world.grace), reason=REASON
        )
        now = database_now()
        delegations.delegate(
            unit_id=world.unit.pk, to=dora.user_id, starts_at=now - HOUR, ends_at=now + DAY, by=world.grace
        )

        with pytest.raises(Forbidden):
            emergencies.look_afterwards(
                glass_id=BreakGlass.objects.get().pk, by=dora, justified=True, note="I called the bank"
            )


class TestBulk:
    def test_approves_nothing_that_was_stopped_after_the_preview(self, world):
        three = [worlds.request(world) for _ in range(3)]
        operation = bulk.preview(act="approve", requests=three, by=world.grace)
        engage(world)
        bulk.confirm(operation_id=operation.pk, by=world.grace, words=Words(reason_code="evidence_checked"))

        outcomes = operation.items.values_list("outcome", "why")
        assert [outcome for outcome, _ in outcomes] == ["refused"] * 3
        assert all("Approving waits until it is lifted" in why for _, why in outcomes)
        assert set(ApprovalRequest.objects.values_list("status", flat=True)) == {"pending"}

    def test_offers_no_approval_of_what_is_stopped(self, world, waiting):
        engage(world)
        waiting.refresh_from_db()

        with pytest.raises(NotAlike, match="Approving waits until it is lifted"):
            bulk.preview(act="approve", requests=[waiting], by=world.grace)
        assert likeness(waiting) == ""

    def test_rejects_what_is_stopped(self, world, waiting):
        engage(world)
        operation = bulk.preview(act="reject", requests=[waiting], by=world.grace)
        bulk.confirm(operation_id=operation.pk, by=world.grace, words=Words(reason_code="duplicate"))

        assert [item.outcome for item in operation.items.all()] == ["done"]


def closed(first, last):
    """From midnight to midnight open, but for the days from the first to the last one, counted from today."""
    today = database_now().date()
    days = "\n".join(f"{today + DAY * number}" for number in range(first, last + 1))
    make.calendar(weekly_hours="Mon-Sun 00:00-24:00", time_zone="UTC", holidays=days)


class TestOpenHours:
    """A time to decide that counts open hours only, over days on which everything is closed."""

    def asked(self, world, hours):
        make.policy("slow", tool="pay", required=1, condition="", decide_within_seconds=hours * 3600, calendar="office")
        return worlds.request(world)

    def test_are_what_is_left_after_a_stop_over_closed_days(self, world):
        closed(-3, -1)
        request = self.asked(world, 3)
        midnight = database_now().replace(hour=0, minute=0, second=0, microsecond=0)
        stop = engage(world)
        # Stopped an hour before everything closed, with two more hours to go after it.
        ApprovalRequest.objects.update(
            created_at=midnight - 3 * DAY - HOUR, frozen_at=midnight - 3 * DAY - HOUR, decide_by=midnight + 2 * HOUR
        )
        lift(world, stop)

        request.refresh_from_db()
        assert abs(request.decide_by - database_now() - 3 * HOUR) < timedelta(minutes=1)

    def test_are_what_reminders_and_levels_are_shares_of(self, world):
        closed(1, 10)
        request = self.asked(world, 48)
        planned = {one.rung.percent: one.due_at for one in plan(request, [])}

        assert planned[50] - request.created_at == 10 * DAY + 24 * HOUR
        assert planned[90] - request.created_at == 10 * DAY + 0.9 * 48 * HOUR

    def test_are_what_a_new_level_counts_too(self, world):
        closed(1, 10)
        request = self.asked(world, 48)
        level("manager", 60, person=user(world.olga))
        for _ in range(2):
            assert escalate_due(by=CLOCK) == 0

        request.refresh_from_db()
        assert request.next_notice_at - request.created_at == 10 * DAY + 24 * HOUR
