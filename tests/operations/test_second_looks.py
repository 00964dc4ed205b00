"""A share of what was decided is judged again, blind: drawn by a rule, taken by a stranger to it, and without consequence."""

from dataclasses import replace
from datetime import date, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction

from approvals import operations as approvals
from approvals.models import ApprovalRequest, DrawSeed, Notice, SecondLook
from approvals.notifying.spread import concerned
from approvals.operations import Changed, emergencies, second_looks
from approvals.operations.second_looks import NotBlind
from approvals.rules import draws
from approvals.rules.permissions import OwnRequest
from audit import lifecycle
from audit.actors import agent, system
from audit.ids import new_id
from audit.models import AuditEvent
from audit.refusals import Forbidden, Invalid, NotVisible, Stale
from orchestrator.engine.sweep import sweep
from orchestrator.models import Action
from tests import make as places
from tests import worlds as make
from tests.signing import voice

SYSTEM = system("test")


@pytest.fixture
def world(db):
    return make.world()


@pytest.fixture
def every_one(settings):
    """Everything that is decided is drawn."""
    settings.SECOND_LOOK_PERCENT = 100


def approved(world, **more):
    request = make.request(world, **more)
    return approvals.approve(request_id=request.pk, by=world.grace, voice=voice(request, by=world.grace))


def look_at(look, by, verdict="approve", **more):
    reason = "evidence_checked" if verdict == "approve" else "wrong_amount"
    said = voice(look.request, reason, **more)
    return second_looks.look_again(look_id=look.pk, by=by, verdict=verdict, voice=said)


class TestTheRule:
    def test_draws_the_share_it_says(self):
        seed = "0" * 64
        drawn = sum(draws.is_drawn(seed=seed, request_id=new_id(), digest="d", percent=5) for _ in range(4000))

        assert 120 < drawn < 290

    def test_draws_nothing_at_0_and_everything_at_100(self):
        for percent, expected in ((0, False), (100, True)):
            assert all(
                draws.is_drawn(seed="s", request_id=new_id(), digest="d", percent=percent) is expected
                for _ in range(50)
            )

    def test_depends_on_the_secret_so_nobody_predicts_it(self):
        request_id = new_id()
        found = {draws.is_drawn(seed=str(n), request_id=request_id, digest="d", percent=50) for n in range(50)}

        assert found == {True, False}

    def test_takes_the_share_of_the_policy_that_asks_for_most(self, db, settings):
        settings.SECOND_LOOK_PERCENT = 5
        places.policy("few", second_look_percent=1)
        places.policy("many", second_look_percent=40)

        assert draws.percent_of("few v1") == 1
        assert draws.percent_of("few v1, many v1") == 40
        assert draws.percent_of("tier customer_facing") == 5


class TestDrawing:
    def test_opens_a_look_in_the_deciding_transaction(self, world, every_one):
        request = approved(world)

        look = SecondLook.objects.get()
        assert (look.request_id, look.status, look.first_verdict) == (request.pk, "open", "approve")
        assert look.barred == [world.grace.user_id]
        told = AuditEvent.objects.filter(object_id=request.pk, event="second_look.drawn")
        assert request.digest in told.get().data

    def test_happens_once_however_often_the_decision_is_repeated(self, world, every_one):
        request = approved(world)

        approvals.approve(request_id=request.pk, by=world.grace, voice=voice(request, by=world.grace))

        assert SecondLook.objects.count() == 1

    def test_is_undone_with_the_decision(self, world, every_one):
        request = make.request(world)
        with transaction.atomic():
            approvals.approve(request_id=request.pk, by=world.grace, voice=voice(request, by=world.grace))
            transaction.set_rollback(True)

        assert not SecondLook.objects.exists()

    def test_waits_for_the_last_signature(self, world, every_one):
        request = approved(world, tool="wire")
        assert not SecondLook.objects.exists()

        approvals.approve(request_id=request.pk, by=world.linus, voice=voice(request, by=world.linus))

        assert SecondLook.objects.get().barred == sorted([world.grace.user_id, world.linus.user_id])

    def test_leaves_no_look_but_a_record_where_it_is_not_drawn(self, world):
        request = approved(world)

        assert not SecondLook.objects.exists()
        assert AuditEvent.objects.filter(object_id=request.pk, event="second_look.passed_over").exists()

    def test_leaves_out_what_nobody_decided(self, world, every_one):
        request = make.request(world)
        places.later("approvals_approvalrequest", "decide_by", request.pk, 10**6)
        approvals.expire_overdue(by=SYSTEM)

        assert not SecondLook.objects.exists()

    def test_leaves_out_what_is_looked_at_afterwards_in_any_case(self, world, every_one):
        request = make.request(world, tool="wire")
        emergencies.break_glass(
            request_id=request.pk,
            by=world.grace,
            voice=voice(request, by=world.grace),
            reason="The bank closes in ten minutes",
        )

        assert not SecondLook.objects.exists()


class TestChecking:
    def test_computes_every_draw_of_a_day_again(self, world, every_one):
        approved(world)
        _a_day_later()
        out = StringIO()

        call_command("check_second_looks", _yesterday().isoformat(), stdout=out)

        assert "1 draws checked, 1 drawn, none wrong" in out.getvalue()

    def test_keeps_the_seed_of_a_day_that_goes_on(self, world, every_one):
        approved(world)

        with pytest.raises(CommandError, match="told when the day is over"):
            call_command("check_second_looks", lifecycle.database_now().date().isoformat())

    def test_finds_a_seed_that_was_exchanged(self, world, every_one):
        approved(world)
        _a_day_later(seed="f" * 64)

        with pytest.raises(CommandError, match="not the one that was committed to"):
            call_command("check_second_looks", _yesterday().isoformat())

    def test_finds_a_draw_that_was_suppressed(self, world, every_one, monkeypatch):
        with monkeypatch.context() as defect:
            defect.setattr(draws, "is_drawn", lambda **_: False)
            approved(world)
        _a_day_later()

        with pytest.raises(CommandError, match="does not follow from the seed"):
            call_command("check_second_looks", _yesterday().isoformat())

    def test_tomorrows_secret_is_committed_to_today(self, world):
        assert draws.commit_ahead(by=SYSTEM)
        assert not draws.commit_ahead(by=SYSTEM)

        kept = DrawSeed.objects.get()
        assert kept.day == lifecycle.database_now().date() + timedelta(days=1)
        event = AuditEvent.objects.get(event="second_look_seed.committed")
        assert kept.commitment in event.data
        assert kept.seed not in event.data

    def test_a_seed_is_never_changed(self, world):
        draws.seed_of(date(2026, 1, 1), by=SYSTEM)

        with pytest.raises(DatabaseError, match="append-only"):
            DrawSeed.objects.update(seed="x")


class TestLooking:
    @pytest.fixture
    def look(self, world, every_one):
        approved(world)
        return SecondLook.objects.select_related("request").get()

    def test_agrees_with_the_same_verdict_and_tells_nobody(self, world, look):
        look = look_at(look, world.linus)

        assert (look.status, look.person_name, look.verdict) == ("agreed", "linus", "approve")
        assert not Notice.objects.filter(kind="disagreed").exists()

    def test_disagrees_with_the_other_and_changes_nothing_about_the_act(self, world, look):
        look_at(look, world.linus, "reject")

        look.refresh_from_db()
        request = ApprovalRequest.objects.get(pk=look.request_id)
        assert (look.status, look.first_codes, look.reason_code) == ("disagreed", ["evidence_checked"], "wrong_amount")
        assert (request.status, request.decisions.count()) == ("approved", 1)
        assert Action.objects.get(pk=request.subject_id).status == "granted"

    def test_tells_the_administrators_of_a_disagreement(self, world, look):
        boss = places.person("boss", "view", of=world.unit, staff=True)
        boss.user_permissions.add(_may_configure())

        look_at(look, world.linus, "reject")

        assert concerned(Notice.objects.get(kind="disagreed")) == {boss.pk}

    def test_tells_the_auditors_where_no_administrator_sees_the_unit(self, world, look):
        places.person("boss", "view", of=places.unit("elsewhere"), staff=True).user_permissions.add(_may_configure())
        kay = places.person("kay", "view", "audit", of=world.unit)

        look_at(look, world.linus, "reject")

        assert concerned(Notice.objects.get(kind="disagreed")) == {kay.pk}

    def test_tells_the_group_that_the_policy_escalates_to(self, world, every_one):
        desk = places.person("desk", "view", "review", of=world.unit)
        places.group("desk", desk)
        places.policy("p", tool="pay", condition="", required=1, on_timeout="escalate", escalate_to="desk")
        approved(world)
        look_at(SecondLook.objects.select_related("request").get(), world.linus, "reject")

        assert concerned(Notice.objects.get(kind="disagreed")) == {desk.pk}

    def test_is_recorded_once_when_it_is_said_twice(self, world, look):
        look_at(look, world.linus)
        look_at(look, world.linus)

        assert AuditEvent.objects.filter(event="second_look.agreed").count() == 1

    def test_is_refused_to_whoever_decided(self, world, look):
        with pytest.raises(NotBlind):
            look_at(look, world.grace)

    def test_is_refused_to_a_second_account_of_whoever_decided(self, world, look):
        twin = places.person("twin", "view", "review", of=world.unit)
        places.linked("one", twin, _user(world.grace))

        with pytest.raises(NotBlind):
            look_at(look, places.actor(twin))

    def test_is_refused_to_the_agents_owner(self, world, look):
        with pytest.raises(OwnRequest):
            look_at(look, world.olga)

    def test_is_refused_without_the_reviewer_role(self, world, look):
        with pytest.raises(Forbidden):
            look_at(look, world.ada)

    def test_is_refused_to_agents(self, world, look):
        clerk = agent("clerk", unit_ids=frozenset({world.unit.pk}), scopes=frozenset())
        with pytest.raises(Forbidden, match="Only people"):
            look_at(look, clerk)

    def test_is_not_there_for_a_stranger(self, world, look):
        with pytest.raises(NotVisible):
            look_at(look, world.eve)

    def test_is_refused_once_somebody_has_looked(self, world, look):
        look_at(look, world.linus)
        mary = places.actor(places.person("mary", "view", "review", of=world.unit))

        with pytest.raises(Stale):
            look_at(look, mary)

    def test_is_refused_over_other_bytes(self, world, look):
        with pytest.raises(Changed):
            look_at(look, world.linus, digest="0" * 64)

    def test_asks_for_a_fitting_reason(self, world, look):
        said = voice(look.request, "wrong_amount")
        with pytest.raises(Invalid):
            second_looks.look_again(look_id=look.pk, by=world.linus, verdict="approve", voice=said)

    def test_of_a_two_person_act_asks_for_every_part_and_the_critical_value(self, world, every_one):
        request = approved(world, tool="wire")
        approvals.approve(request_id=request.pk, by=world.linus, voice=voice(request, by=world.linus))
        mary = places.actor(places.person("mary", "view", "review", of=world.unit))
        look = SecondLook.objects.select_related("request").get()

        for missing in ({"viewed": {"sections": ["act"]}}, {"critical": ""}, {"critical": "999999"}):
            with pytest.raises(Invalid):
                look_at(look, mary, **missing)
        assert look_at(look, mary).status == "agreed"

    def test_that_says_no_asks_for_neither_as_the_page_says(self, world, every_one):
        request = approved(world, tool="wire")
        approvals.approve(request_id=request.pk, by=world.linus, voice=voice(request, by=world.linus))
        mary = places.actor(places.person("mary", "view", "review", of=world.unit))
        look = SecondLook.objects.select_related("request").get()
        said = replace(voice(look.request, "wrong_amount"), viewed={"sections": []}, critical="")

        seen = second_looks.look_again(look_id=look.pk, by=mary, verdict="reject", voice=said)

        assert seen.status == "disagreed"

    def test_is_asked_of_a_group_where_groups_sign(self, world, every_one):
        places.group("finance", _user(world.grace))
        places.policy("p", tool="pay", condition="", required=1, needs=places.needs("1 from finance"))
        approved(world)
        look = SecondLook.objects.select_related("request").get()
        with pytest.raises(Forbidden, match="group"):
            look_at(look, world.linus)

        mary = places.person("mary", "view", "review", of=world.unit)
        places.group("finance", _user(world.grace), mary)

        assert look_at(look, places.actor(mary)).status == "agreed"

    def test_is_given_up_by_whoever_has_to_know(self, world, look):
        second_looks.see_decision(look_id=look.pk, by=world.linus)

        look.refresh_from_db()
        with pytest.raises(NotBlind):
            look_at(look, world.linus)
        assert AuditEvent.objects.filter(event="second_look.seen", object_id=look.pk).exists()


class TestTheList:
    def test_holds_what_this_person_could_look_at(self, world, every_one):
        approved(world)

        for person, expected in ((world.linus, 1), (world.grace, 0), (world.olga, 0), (world.ada, 0), (world.eve, 0)):
            assert second_looks.waiting_for(person).count() == expected, person.name

    def test_agrees_with_the_verb_about_groups(self, world, every_one):
        places.group("finance", _user(world.grace))
        places.policy("p", tool="pay", condition="", required=1, needs=places.needs("1 from finance"))
        approved(world)

        assert second_looks.waiting_for(world.linus).count() == 0


class TestTime:
    def test_ends_it_without_consequence(self, world, every_one):
        approved(world)
        look = SecondLook.objects.get()
        places.later("approvals_secondlook", "due_at", look.pk, 6 * 24 * 3600)

        sweep()

        look.refresh_from_db()
        assert (look.status, look.person_id) == ("expired", None)
        assert not Notice.objects.filter(kind="disagreed").exists()
        with pytest.raises(Stale):
            look_at(look, world.linus)

    def test_is_over_also_before_the_sweep_has_said_so(self, world, every_one):
        approved(world)
        look = SecondLook.objects.get()
        places.later("approvals_secondlook", "due_at", look.pk, 6 * 24 * 3600)

        with pytest.raises(Stale):
            look_at(look, world.linus)
        assert second_looks.waiting_for(world.linus).count() == 0


def _user(actor):
    from django.contrib.auth import get_user_model

    return get_user_model().objects.get(pk=actor.user_id)


def _may_configure():
    from django.contrib.auth.models import Permission

    return Permission.objects.get(codename="change_approvalpolicy")


def _yesterday():
    return lifecycle.database_now().date() - timedelta(days=1)


def _a_day_later(seed=None):
    """What was drawn today was drawn yesterday: the seed is kept, and told, under that day."""
    from django.db import connection

    today, yesterday = lifecycle.database_now().date(), _yesterday()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE approvals_drawseed DISABLE TRIGGER USER")
        cursor.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER USER")
        cursor.execute("UPDATE approvals_drawseed SET day = %s, seed = coalesce(%s, seed)", [yesterday, seed])
        cursor.execute(
            "UPDATE audit_auditevent SET data = replace(data, %s, %s), at = at - interval '1 day' "
            "WHERE event LIKE 'second_look%%'",
            [today.isoformat(), yesterday.isoformat()],
        )
        cursor.execute("ALTER TABLE approvals_drawseed ENABLE TRIGGER USER")
        cursor.execute("ALTER TABLE audit_auditevent ENABLE TRIGGER USER")
