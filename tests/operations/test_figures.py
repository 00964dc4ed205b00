"""Figures per policy: what each counts, what none of them tells, and the rows that each number leads to."""

from datetime import timedelta

import pytest
from django.db import connection

from approvals import operations as approvals
from approvals.models import SecondLook, StopScope
from approvals.operations import second_looks, stops
from approvals.operations.stops import Target
from audit import lifecycle
from audit.actors import system
from orchestrator.gate.edit import edit
from orchestrator.gate.undo import undo
from orchestrator.models import Action, Tool
from orchestrator.queries.figures import CONDITIONS, Range, figures, rows_behind
from tests import make as places
from tests import worlds as make
from tests.signing import voice


@pytest.fixture
def world(db):
    world = make.world()
    places.policy("pays", tool="pay", condition="", required=1)
    return world


def range_of(world, days=1):
    now = lifecycle.database_now()
    return Range(unit_ids=frozenset({world.unit.pk}), since=now - timedelta(days=days), until=now + timedelta(days=1))


def of(world, policy="pays", days=1):
    return next(row for row in figures(range_of(world, days)) if row.policy == policy)


def decide(world, by=None, *, approve=True, seconds=None, request=None):
    request = request or make.request(world)
    act, reason = (approvals.approve, "evidence_checked") if approve else (approvals.reject, "wrong_amount")
    said = voice(request, reason)
    if seconds is not None:
        said = voice(request, reason, viewed={**said.viewed, "seconds": seconds})
    return act(request_id=request.pk, by=by or world.grace, voice=said)


class TestDecisions:
    def test_are_counted_by_their_end(self, world):
        for _ in range(3):
            decide(world)
        decide(world, approve=False)
        make.request(world)

        row = of(world)
        assert (row.counts["asked"], row.counts["decided"]) == (5, 4)
        assert (row.share("approved", "decided"), row.share("rejected", "decided")) == (75.0, 25.0)

    def test_that_were_approved_stay_so_when_they_are_used_or_lost_to_time(self, world):
        from orchestrator.gate.redeem import redeem

        redeem(action_id=decide(world).subject_id, by=make.SETUP)
        lost = decide(world)
        places.later("approvals_approvalrequest", "use_by", lost.pk, 10**6)
        approvals.expire_overdue(by=system("test"))

        assert of(world).counts["approved"] == 2
        assert of(world).counts["expired"] == 0

    def test_that_nobody_made_count_as_expired(self, world):
        places.later("approvals_approvalrequest", "decide_by", make.request(world).pk, 10**6)
        approvals.expire_overdue(by=system("test"))

        row = of(world)
        assert (row.counts["expired"], row.counts["decided"], row.took) == (1, 0, None)

    def test_on_an_edited_call_are_overrides(self, world):
        request = make.request(world)
        edit(request_id=request.pk, by=world.linus, digest=request.digest, revision=1, arguments={"amount": 7_000})
        request.refresh_from_db()
        decide(world, request=request)
        decide(world)

        assert of(world).share("overridden", "decided") == 50.0

    def test_that_were_undone_count_as_reversed(self, world):
        Tool.objects.filter(name="pay").update(compensate_with="look")
        done = Action.objects.get(pk=decide(world).subject_id)
        decide(world)
        places.carried_out(done)
        Tool.objects.filter(name="look").update(input_schema={})
        back = undo(action_id=done.pk, by=make.SETUP, why="paid twice")
        assert of(world).counts["reversed"] == 0
        places.carried_out(back)

        assert of(world).share("reversed", "approved") == 50.0

    def test_of_two_policies_count_in_both_and_once_together(self, world):
        places.policy("second", tool="pay", condition="", required=1)
        decide(world)

        found = {row.policy: row.counts["approved"] for row in figures(range_of(world))}
        assert (found["pays"], found["second"], found[""]) == (1, 1, 1)

    def test_of_other_units_and_other_days_are_not_there(self, world):
        request = decide(world)
        places.later("approvals_approvalrequest", "created_at", request.pk, 3 * 24 * 3600)

        assert figures(range_of(world)) == []
        assert len(figures(range_of(world, days=4))) == 2
        foreign = Range(**{**_given(range_of(world, days=4)), "unit_ids": frozenset({places.unit("elsewhere").pk})})
        assert figures(foreign) == []


class TestAttention:
    def test_is_measured_by_the_servers_seconds(self, world):
        for seconds in (2, 40, 60):
            decide(world, seconds=seconds)
        decide(world)

        row = of(world)
        assert row.reading == 40
        assert row.share("quick", "measured") == pytest.approx(100 / 3)

    def test_of_a_second_look_is_agreement(self, world, settings):
        settings.SECOND_LOOK_PERCENT = 100
        for verdict in ("approve", "reject"):
            request = decide(world)
            look = SecondLook.objects.select_related("request").get(request=request)
            reason = "evidence_checked" if verdict == "approve" else "wrong_amount"
            second_looks.look_again(look_id=look.pk, by=world.linus, verdict=verdict, voice=voice(request, reason))

        assert of(world).share("disagreed", "looked") == 50.0

    def test_of_test_items_counts_apart_from_all_real_work(self, world):
        from django.contrib.auth.models import Permission

        from orchestrator.operations import test_items

        places.policy("pays", tool="pay", condition="", required=1, version=2, test_items=True)
        boss = places.person("boss", "view", of=world.unit, staff=True)
        boss.user_permissions.add(Permission.objects.get(codename="change_approvalpolicy"))
        source = make.request(world).subject_id
        for approve in (True, False, False):
            item = test_items.write(
                action_id=source, arguments={"amount": 9}, expected="bad", hint="Too little", by=places.actor(boss)
            )
            decide(world, request=item.request, approve=approve, seconds=1)

        row = of(world)
        assert (row.tests["caught"], row.tests["missed"]) == (2, 1)
        for what, number in row.tests.items():
            assert rows_behind(range_of(world), what=what, policy="pays").count() == number
        assert (row.counts["asked"], row.counts["decided"], row.counts["quick"], row.reviewers) == (1, 0, 0, 0)


class TestTimeAndLoad:
    def test_to_decide_leaves_out_how_long_stops_took(self, world):
        request = make.request(world)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE approvals_approvalrequest SET created_at = created_at - interval '3 hours', "
                "stood = interval '1 hour' WHERE id = %s", [request.pk],
            )  # fmt: skip
        decide(world, request=request)

        assert of(world).took == pytest.approx(2 * 3600, abs=60)

    def test_of_what_was_rejected_while_it_was_stopped_ends_when_the_stop_began(self, world):
        request = make.request(world)
        stops.engage(target=Target(scope=StopScope.UNIT, unit_id=world.unit.pk), by=world.ada, reason="it pays twice")
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE approvals_approvalrequest SET created_at = created_at - interval '30 hours', frozen_at = frozen_at "
                "- interval '28 hours', decide_by = decide_by - interval '30 hours' WHERE id = %s", [request.pk],
            )  # fmt: skip
        decide(world, request=request, approve=False)

        row = of(world, days=2)
        assert row.took == pytest.approx(2 * 3600, abs=60)
        assert row.share("late", "decided") == 0

    def test_says_how_many_were_late(self, world):
        places.policy("waits", tool="wire", condition="", required=2, on_timeout="hold")
        request = make.request(world, tool="pay")
        with connection.cursor() as cursor:
            cursor.execute("UPDATE approvals_approvalrequest SET on_timeout = 'hold', "
                           "decide_by = now() - interval '1 hour' WHERE id = %s", [request.pk])  # fmt: skip
        decide(world, request=request)
        decide(world)

        assert of(world).share("late", "decided") == 50.0

    def test_of_fewer_than_three_reviewers_is_not_told(self, world):
        decide(world, world.grace)
        decide(world, world.linus)
        assert of(world).load is None

        mary = places.actor(places.person("mary", "view", "review", of=world.unit))
        for _ in range(4):
            decide(world, mary)

        assert of(world).load == (1.0, pytest.approx(3.4), 4)

    def test_names_nobody(self, world):
        decide(world)

        assert "grace" not in repr(figures(range_of(world)))


class TestTheRows:
    def test_behind_every_number_are_as_many_as_it_says(self, world, settings):
        settings.SECOND_LOOK_PERCENT = 100
        decide(world, seconds=1)
        decide(world, approve=False, seconds=90)
        make.request(world)

        for row in figures(range_of(world)):
            for what in CONDITIONS:
                found = rows_behind(range_of(world), what=what, policy=row.policy)
                assert found.count() == row.counts[what], (row.policy, what)


def _given(range_):
    return {"unit_ids": range_.unit_ids, "since": range_.since, "until": range_.until}
