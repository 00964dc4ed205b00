"""Several requests at once: frozen, shown, confirmed, done one by one; and approving only what is equal and of the first tier."""

import pytest

from approvals import operations as approvals
from approvals.models import ApprovalRequest, Assignment, BulkOperation, Claim, Decision
from approvals.operations import bulk, claims
from approvals.operations.bulk import NothingChosen, Words
from approvals.operations.bulk_rules import NotAlike
from audit.actors import agent
from audit.models import AuditEvent
from audit.refusals import Forbidden, Invalid, NotVisible, Stale
from tests import make, worlds

pytestmark = pytest.mark.django_db
CHECKED = Words(reason_code="evidence_checked")
DUPLICATE = Words(reason_code="duplicate", note="sent twice by the agent")


@pytest.fixture
def world():
    return worlds.world()


@pytest.fixture
def three(world):
    return [worlds.request(world) for _ in range(3)]


def previewed(act, requests, by):
    return bulk.preview(act=act, requests=requests, by=by)


def confirmed(operation, by, words=CHECKED):
    return bulk.confirm(operation_id=operation.pk, by=by, words=words)


def outcomes(operation):
    return [(item.outcome, item.why) for item in operation.items.order_by("place")]


def statuses(requests):
    return [row.status for row in ApprovalRequest.objects.filter(pk__in=[row.pk for row in requests]).order_by("id")]


class TestPreview:
    @pytest.mark.parametrize("act", ["claim", "assign", "reject", "approve"])
    def test_does_nothing_to_anything(self, world, three, act):
        operation = previewed(act, three, world.grace)

        assert operation.status == "previewed"
        assert not Decision.objects.exists()
        assert not Claim.objects.exists()
        assert not Assignment.objects.exists()
        assert statuses(three) == ["pending"] * 3

    def test_leaves_out_what_cannot_be_done_with_the_reason(self, world, three):
        approvals.reject(
            request_id=three[0].pk, by=world.linus, voice=make.voice(three[0], "duplicate", by=world.linus)
        )
        three[0].refresh_from_db()
        claims.claim(request_id=three[1].pk, by=world.linus)

        operation = previewed("reject", three, world.grace)

        first, second, third = outcomes(operation)
        assert first == ("left_out", "It is already rejected.")
        assert second[0] == "left_out"
        assert "held by linus" in second[1]
        assert third == ("", "")

    def test_of_nothing_is_refused(self, world):
        with pytest.raises(NothingChosen):
            previewed("claim", [], world.grace)

    def test_is_for_people(self, world, three):
        robot = agent("clerk", unit_ids=frozenset({world.unit.pk}), scopes=frozenset())

        with pytest.raises(Forbidden, match="Only people"):
            previewed("approve", three, robot)


class TestApprove:
    def test_signs_each_item_over_its_own_digest(self, world, three):
        operation = confirmed(previewed("approve", three, world.grace), world.grace)

        assert statuses(three) == ["approved"] * 3
        assert operation.status == "done"
        signed = Decision.objects.order_by("request_id")
        assert [voice.digest for voice in signed] == [request.digest for request in three]
        assert len({voice.digest for voice in signed}) == 3
        assert all(voice.viewed["bulk_operation"] == str(operation.pk) for voice in signed)

    def test_refuses_and_names_an_item_that_changed_after_the_preview(self, world, three):
        operation = previewed("approve", three, world.grace)
        ApprovalRequest.objects.filter(pk=three[1].pk).update(digest="0" * 64)

        confirmed(operation, world.grace)

        assert [outcome for outcome, _ in outcomes(operation)] == ["done", "refused", "done"]
        assert "changed after you opened it" in outcomes(operation)[1][1]
        assert statuses(three) == ["approved", "pending", "approved"]

    def test_refuses_an_item_that_somebody_claimed_after_the_preview(self, world, three):
        operation = previewed("approve", three, world.grace)
        claims.claim(request_id=three[2].pk, by=world.linus)

        confirmed(operation, world.grace)

        assert outcomes(operation)[2][0] == "refused"
        assert statuses(three) == ["approved", "approved", "pending"]

    def test_is_not_offered_for_what_needs_two_people(self, world, three):
        with pytest.raises(NotAlike, match="it needs two people"):
            previewed("approve", [*three, worlds.request(world, tool="wire")], world.grace)
        assert not BulkOperation.objects.exists()

    def test_is_not_offered_for_different_actions(self, world, three):
        make.tool("erp.other")
        other = make.request(using=make.tool("erp.other"), of=world.unit)

        with pytest.raises(NotAlike, match="not the same action"):
            previewed("approve", [*three, other], world.grace)

    def test_is_not_offered_for_different_policy_versions(self, world, three):
        make.policy(name="look-twice", tool="pay", condition="", required=1, reason="Look twice")

        with pytest.raises(NotAlike, match="policy version"):
            previewed("approve", [*three, worlds.request(world)], world.grace)

    def test_is_not_offered_for_more_than_twenty(self, world):
        with pytest.raises(NotAlike, match="21 were chosen, 20 are the most"):
            previewed("approve", [worlds.request(world) for _ in range(21)], world.grace)

    def test_is_not_offered_for_what_somebody_else_holds(self, world, three):
        claims.claim(request_id=three[0].pk, by=world.linus)

        with pytest.raises(NotAlike, match="held by linus"):
            previewed("approve", three, world.grace)

    def test_is_not_offered_for_ones_own_agent(self, world, three):
        with pytest.raises(NotAlike, match="You own the agent"):
            previewed("approve", three, world.olga)

    def test_is_not_offered_to_whoever_does_not_review(self, world, three):
        with pytest.raises(NotAlike, match="reviewer role"):
            previewed("approve", three, world.ada)

    def test_counts_again_whether_the_person_may_still_sign(self, world, three):
        operation = previewed("approve", three, world.grace)
        from django.contrib.auth import get_user_model
        from guardian.shortcuts import remove_perm

        remove_perm("budgets.review_businessunit", get_user_model().objects.get(pk=world.grace.user_id), world.unit)

        confirmed(operation, world.grace)

        assert {outcome for outcome, _ in outcomes(operation)} == {"refused"}
        assert statuses(three) == ["pending"] * 3


class TestReject:
    def test_leaves_out_what_takes_a_second_factor(self, world):
        two = [worlds.request(world, tool="wire") for _ in range(2)]

        found = outcomes(confirmed(previewed("reject", two, world.grace), world.grace, DUPLICATE))

        why = "It takes a second factor, so it is decided on its own page."
        assert (found, statuses(two)) == ([("left_out", why)] * 2, ["pending"] * 2)

    def test_rejects_each_with_the_reason_and_the_note(self, world, three):
        confirmed(previewed("reject", three, world.grace), world.grace, DUPLICATE)

        assert statuses(three) == ["rejected"] * 3
        assert {voice.note for voice in Decision.objects.all()} == {DUPLICATE.note}

    @pytest.mark.parametrize("words", [Words(), Words(reason_code="within_policy"), Words(reason_code="other")])
    def test_needs_a_reason_that_speaks_for_it(self, world, three, words):
        operation = previewed("reject", three, world.grace)

        with pytest.raises(Invalid):
            confirmed(operation, world.grace, words)

        assert statuses(three) == ["pending"] * 3
        operation.refresh_from_db()
        assert operation.status == "previewed"


class TestConfirm:
    def test_is_the_persons_own(self, world, three):
        operation = previewed("reject", three, world.grace)

        with pytest.raises(NotVisible):
            confirmed(operation, world.linus, DUPLICATE)

    def test_twice_is_refused(self, world, three):
        operation = confirmed(previewed("reject", three, world.grace), world.grace, DUPLICATE)

        with pytest.raises(Stale, match="done already"):
            confirmed(operation, world.grace, DUPLICATE)

    def test_loses_nothing_when_one_item_breaks(self, world, three, monkeypatch, caplog):
        whole = approvals.reject
        broken = three[1].pk

        def reject(*, request_id, **more):
            answer = whole(request_id=request_id, **more)
            if request_id == broken:
                raise RuntimeError("a defect planted after the deed")
            return answer

        monkeypatch.setattr(approvals, "reject", reject)
        operation = confirmed(previewed("reject", three, world.grace), world.grace, DUPLICATE)

        assert [outcome for outcome, _ in outcomes(operation)] == ["done", "failed", "done"]
        assert statuses(three) == ["rejected", "pending", "rejected"]
        assert operation.status == "done"

    def test_goes_on_where_it_was_cut_off(self, world, three, monkeypatch):
        operation = previewed("reject", three, world.grace)
        whole, done = bulk._do, []

        def cut_off(*args):
            if done:
                raise KeyboardInterrupt
            done.append(whole(*args))

        monkeypatch.setattr(bulk, "_do", cut_off)
        with pytest.raises(KeyboardInterrupt):
            confirmed(operation, world.grace, DUPLICATE)
        monkeypatch.undo()
        operation.refresh_from_db()
        assert (operation.status, statuses(three)) == ("running", ["rejected", "pending", "pending"])

        confirmed(operation, world.grace, Words())

        assert statuses(three) == ["rejected"] * 3
        assert Decision.objects.count() == 3
        assert {voice.reason_code for voice in Decision.objects.all()} == {"duplicate"}

    def test_leaves_a_record_of_itself_and_of_each_item(self, world, three):
        operation = confirmed(previewed("reject", three, world.grace), world.grace, DUPLICATE)

        told = [event.event for event in AuditEvent.objects.about(operation.pk).order_by("seq")]
        assert told == ["bulk_operation.previewed", "bulk_operation.running", "bulk_operation.done"]
        assert AuditEvent.objects.filter(event="approval_request.signed_reject").count() == 3


class TestOtherActs:
    def test_claim_and_release(self, world, three):
        confirmed(previewed("claim", three, world.grace), world.grace, Words())
        assert Claim.objects.running().count() == 3

        confirmed(previewed("release", three, world.grace), world.grace, Words())
        assert Claim.objects.running().count() == 0

    def test_assign_asks_one_person_and_refuses_where_they_could_not_sign(self, world, three):
        approvals.approve(request_id=three[0].pk, by=world.linus, voice=make.voice(three[0], by=world.linus))
        wire = worlds.request(world, tool="wire")
        approvals.approve(request_id=wire.pk, by=world.linus, voice=make.voice(wire, by=world.linus))
        operation = previewed("assign", [three[1], wire], world.grace)

        confirmed(operation, world.grace, Words(assignee_id=world.linus.user_id))

        assert [outcome for outcome, _ in outcomes(operation)] == ["done", "refused"]
        assert outcomes(operation)[1][1].startswith("linus cannot sign this request. Choose somebody else.")
        assert Assignment.objects.get().person_name == "linus"

    def test_assign_needs_a_person(self, world, three):
        with pytest.raises(Invalid):
            confirmed(previewed("assign", three, world.grace), world.grace, Words())
