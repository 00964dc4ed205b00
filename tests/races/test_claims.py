"""Two people reach for the same request at the same instant: one holds it, the other is told who does."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from approvals.models import BulkItem, Claim, Decision
from approvals.operations import bulk, claims
from approvals.operations.bulk import Words
from approvals.rules.holds import Held
from audit.models import AuditEvent
from tests import worlds as make
from tests.races.racing import approve, assert_one_outcome, race, races

RACES = 100

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


def claim(request, who):
    return lambda: claims.claim(request_id=request.pk, by=who)


class TestClaimAgainstClaim:
    def test_is_won_by_one(self):
        world = make.world()
        for _ in races(RACES):
            request = make.request(world)
            outcomes = race(claim(request, world.grace), claim(request, world.linus))
            assert sorted(type(outcome) for outcome in outcomes if outcome) == [Held]
            assert Claim.objects.running().filter(request=request).count() == 1

    def test_of_one_person_twice_is_one_claim(self):
        world = make.world()
        for _ in races(RACES):
            request = make.request(world)
            outcomes = race(claim(request, world.grace), claim(request, world.grace))
            assert outcomes == [None, None]
            assert Claim.objects.filter(request=request).count() == 1

    def test_of_two_signatures_gives_each_a_place(self):
        world = make.world()
        for _ in races(RACES):
            request = make.request(world, tool="wire")
            outcomes = race(claim(request, world.grace), claim(request, world.linus))
            assert outcomes == [None, None]


class TestLapse:
    def test_is_told_once_by_two_sweeps(self):
        world = make.world()
        for _ in races(30, at_least=30):
            request = make.request(world)
            claims.claim(request_id=request.pk, by=world.grace)
            ran_out(request)
            outcomes = race(*[lambda: claims.note_lapsed(by=make.SETUP)] * 2)
            claims.note_lapsed(by=make.SETUP)
            assert outcomes == [None, None]
            assert told(request, "claim_lapsed") == 1

    def test_against_another_claim_never_tells_of_a_lapse_after_the_takeover(self):
        world = make.world()
        for _ in races(30, at_least=30):
            request = make.request(world)
            claims.claim(request_id=request.pk, by=world.grace)
            ran_out(request)
            outcomes = race(claim(request, world.linus), lambda: claims.note_lapsed(by=make.SETUP))
            assert outcomes == [None, None]
            assert told(request, "taken_over") == 1
            events = [*AuditEvent.objects.about(request.pk).order_by("seq").values_list("event", flat=True)]
            assert events[-1] == "approval_request.taken_over"


def ran_out(request):
    before = Now() - timedelta(minutes=1)
    Claim.objects.filter(request=request).update(claimed_at=before - timedelta(minutes=15), held_until=before)


def told(request, event):
    return AuditEvent.objects.filter(object_id=request.pk, event=f"approval_request.{event}").count()


class TestClaimAgainstDecision:
    def test_leaves_no_decision_of_somebody_else_behind_a_claim(self):
        world = make.world()
        for _ in races(RACES):
            request = make.request(world)
            claimed, decided = race(claim(request, world.grace), approve(request, world.linus))
            request.refresh_from_db()
            if decided is None:
                assert request.status == "approved"
                assert claimed is not None
            else:
                assert isinstance(decided, Held)
                assert request.status == "pending"


class TestConfirmAgainstConfirm:
    def test_does_each_item_once(self):
        world = make.world()
        for _ in races(20):
            requests = [make.request(world) for _ in range(4)]
            operation = bulk.preview(act="reject", requests=requests, by=world.grace)
            words = Words(reason_code="duplicate")

            def confirm(operation=operation, words=words):
                bulk.confirm(operation_id=operation.pk, by=world.grace, words=words)

            outcomes = race(confirm, confirm)
            bulk_done = [outcome for outcome in outcomes if outcome is None]
            assert bulk_done
            assert [*operation.items.values_list("outcome", flat=True)] == ["done"] * 4
            assert Decision.objects.filter(request__in=requests).count() == 4
            operation.refresh_from_db()
            assert operation.status == "done"
            assert AuditEvent.objects.filter(object_id=operation.pk, event="bulk_operation.done").count() == 1

    @pytest.mark.slow
    def test_against_a_decision_of_somebody_else_ends_one_way_and_says_so(self):
        world = make.world()
        for _ in races(30):
            request = make.request(world)
            operation = bulk.preview(act="reject", requests=[request], by=world.grace)
            outcomes = race(
                lambda operation=operation: bulk.confirm(
                    operation_id=operation.pk, by=world.grace, words=Words(reason_code="duplicate")
                ),
                approve(request, world.linus),
            )
            item = BulkItem.objects.get(operation=operation)
            assert_one_outcome(request, outcomes)
            assert item.outcome == ("done" if request.status == "rejected" else "refused")
