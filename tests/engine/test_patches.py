"""Patch and redrive: another input, a new proposal with its own verdict, the original kept, and nothing sent twice."""

import pytest
from django.contrib.auth import get_user_model

from approvals.models import ApprovalRequest
from approvals.rules.permissions import OwnRequest
from audit.canonical import digest
from audit.models import AuditEvent
from audit.refusals import Forbidden, Invalid, NotVisible, Refusal, Stale
from budgets.permissions import grant
from orchestrator.models import Action, StepPatch
from orchestrator.operations import patches
from orchestrator.operations.patches import NotPatchable, current_input
from tests import worlds as make
from tests.engine.driving import actions, approve, asked, drive

SEND = "  - send: {tool: send_a, ref: R-1, retry: {max_attempts: 1}}\n"


@pytest.fixture
def dead(world, governed, provider):
    """A send of R-1 that was turned away."""
    governed(SEND)
    provider.plan("down")
    execution = make.start(world, "outside")
    drive(execution)
    return execution.dead_letters.get()


def patch(letter, by, after, why="the reference was wrong", before=None):
    known = digest(current_input(letter.step) if before is None else before)
    return patches.patch(letter_id=letter.pk, by=by, before_digest=known, after=after, why=why)


class TestAPatch:
    def test_is_what_the_step_is_given_and_the_original_is_kept(self, world, dead, provider):
        before = current_input(dead.step)
        made = patch(dead, world.ada, {**before, "ref": "R-2"})
        drive(dead.execution)

        dead.refresh_from_db()
        assert (dead.status, provider.effects) == ("fixed", ["R-2"])
        assert (made.number, made.before, made.after) == (1, before, {**before, "ref": "R-2"})
        old, new = actions(dead.execution)
        assert (old.status, new.status) == ("void", "succeeded")

    def test_keeps_the_key_of_what_was_sent_before(self, world, dead, provider):
        patch(dead, world.ada, {**current_input(dead.step), "ref": "R-2"})
        drive(dead.execution)

        assert len({key for key, _ in provider.sends}) == 1

    def test_can_be_patched_again(self, world, dead, provider):
        provider.plan("down")
        patch(dead, world.ada, {**current_input(dead.step), "ref": "R-2"})
        drive(dead.execution)
        made = patch(dead, world.ada, {**current_input(dead.step), "ref": "R-3"})
        drive(dead.execution)

        assert (made.number, made.before["ref"], provider.effects) == (2, "R-2", ["R-3"])

    def test_is_recorded_by_digests_only(self, world, dead):
        patch(dead, world.ada, {**current_input(dead.step), "ref": "R-SECRET"})

        event = AuditEvent.objects.get(event="step.patched")
        assert "R-SECRET" not in event.data + event.why
        assert digest(StepPatch.objects.get().after) in event.data

    def test_version_cannot_be_changed_afterwards(self, world, dead):
        made = patch(dead, world.ada, {**current_input(dead.step), "ref": "R-2"})
        with pytest.raises(Exception, match="append"):
            StepPatch.objects.filter(pk=made.pk).update(why="another reason")


class TestWhatIsRefused:
    @pytest.mark.parametrize("after", [{"ref": 17}, {}, {"ref": ["R-2"]}])
    def test_an_input_that_does_not_fit_the_schema(self, world, dead, after):
        with pytest.raises(Invalid) as refused:
            patch(dead, world.ada, after)
        assert refused.value.errors
        assert not StepPatch.objects.exists()

    def test_an_input_that_is_no_other(self, world, dead):
        with pytest.raises(Invalid):
            patch(dead, world.ada, current_input(dead.step))

    def test_a_patch_without_a_reason(self, world, dead):
        with pytest.raises(Invalid):
            patch(dead, world.ada, {**current_input(dead.step), "ref": "R-2"}, why=" ")

    def test_a_patch_of_an_input_that_is_another_by_now(self, world, dead):
        with pytest.raises(Stale):
            patch(dead, world.ada, {"ref": "R-2"}, before={"ref": "R-0"})

    def test_of_a_call_that_may_have_happened(self, world, governed, provider):
        governed(SEND.replace("send_a", "send_c"))
        provider.plan("drop")
        execution = make.start(world, "outside")
        make.work()
        letter = execution.dead_letters.get()

        with pytest.raises(NotPatchable, match="no answer came"):
            patch(letter, world.ada, {**current_input(letter.step), "ref": "R-2"})
        assert Action.objects.get().status == "unknown"

    def test_by_a_stranger_a_viewer_or_an_agent(self, world, dead):
        after = {**current_input(dead.step), "ref": "R-2"}
        with pytest.raises(NotVisible):
            patch(dead, world.eve, after)
        with pytest.raises(Forbidden):
            patch(dead, world.grace, after)


class TestWhoPatched:
    def test_has_a_hand_in_what_is_asked_for_then_and_does_not_sign_for_it(self, world, governed, provider):
        governed(SEND.replace("send_a", "unsafe"))
        execution = make.start(world, "outside")
        make.work()
        approve(ApprovalRequest.objects.get(), world.linus)
        provider.plan("ok", "down")  # the record is read once more, then the send is turned away
        drive(execution)
        grant(get_user_model().objects.get(pk=world.grace.user_id), "operate", world.unit)

        patch(execution.dead_letters.get(), world.grace, {"ref": "R-2"})
        make.work()

        asked = ApprovalRequest.objects.get(status="pending")
        assert asked.duties[world.grace.key] == "corrected the input of the step send"
        with pytest.raises(Refusal):
            approve(asked, world.grace)

    @pytest.mark.parametrize("rests_on_it", ["  - approve: {required: 2}\n", "  - pay: {tool: unsafe, ref: R-9}\n"])
    def test_signs_for_nothing_that_follows_from_the_step_either(self, world, governed, provider, rests_on_it):
        governed(SEND + rests_on_it)
        provider.plan("down")
        execution = make.start(world, "outside")
        drive(execution)
        grant(get_user_model().objects.get(pk=world.grace.user_id), "operate", world.unit)
        patch(execution.dead_letters.get(), world.grace, {"ref": "R-2"})
        drive(execution)

        with pytest.raises(OwnRequest, match="You corrected the input of the step send"):
            approve(asked(execution), world.grace)


class TestAnInputThatPeopleHadRead:
    STEPS = """
  - pay_it: {required: 2, checks: [The account is the vendor's]}
  - pay: {tool: send_a, ref: R-1, retry: {max_attempts: 1}}
"""

    def signed(self, world, governed, provider, steps=STEPS):
        governed(steps)
        provider.plan("down")
        execution = make.start(world, "outside")
        drive(execution)
        for by in (world.grace, world.linus) if steps == self.STEPS else ():
            approve(asked(execution), by)
        drive(execution)
        return execution

    def test_is_read_again_by_as_many_once_it_is_another(self, world, governed, provider):
        execution = self.signed(world, governed, provider)
        patch(execution.dead_letters.get(), world.ada, {"ref": "R-2"})
        drive(execution)

        request = asked(execution)
        assert (provider.effects, request.required, request.checks) == ([], 2, ["The account is the vendor's"])
        assert "patched since" in request.reasons[0]
        approve(request, world.grace)
        approve(request, world.linus)
        drive(execution)

        assert (execution.status, provider.effects) == ("succeeded", ["R-2"])

    def test_is_read_by_somebody_where_the_conditions_had_let_the_old_one_pass(self, world, governed, provider):
        steps = self.STEPS.replace("required: 2, checks: [The account is the vendor's]", "human_if: ['1 > 2']")
        execution = self.signed(world, governed, provider, steps)
        patch(execution.dead_letters.get(), world.ada, {"ref": "R-2"})
        drive(execution)

        assert (asked(execution).required, provider.effects) == (1, [])

    def test_is_read_again_where_they_had_stood_in_for_a_step_that_failed(self, world, governed, provider):
        governed("""
  - look: {tool: fetch, ref: R-1, on_error: pay_it, retry: {max_attempts: 1}}
  - pay_it: {required: 1}
  - pay: {tool: send_a, ref: R-1, needs: [look], retry: {max_attempts: 1}}
""")
        provider.plan("down", "down")
        execution = make.start(world, "outside")
        drive(execution)
        approve(asked(execution), world.grace)
        drive(execution)
        patch(execution.dead_letters.get(step__key="pay", status="open"), world.ada, {"ref": "R-2"})
        drive(execution)

        assert provider.effects == []
        assert "let go on at pay_it" in asked(execution).reasons[0]

    def test_is_none_where_nobody_was_to_be_asked(self, world, governed, provider):
        execution = self.signed(world, governed, provider, SEND)
        patch(execution.dead_letters.get(), world.ada, {"ref": "R-2"})
        drive(execution)

        assert (execution.status, provider.effects) == ("succeeded", ["R-2"])
