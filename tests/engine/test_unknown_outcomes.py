"""Sent, and no answer: what happens next depends on what can be known, never on hope."""

import pytest
from django.contrib.auth import get_user_model

from approvals.rules.permissions import OwnRequest
from audit.models import AuditEvent
from budgets.models import LedgerEntry, Price
from budgets.permissions import grant
from orchestrator.engine.claims import ENGINE
from orchestrator.gate.redeem import redeem
from orchestrator.operations import executions, unknown_outcomes
from orchestrator.operations.unknown_outcomes import Said
from tests import make as more
from tests import trail
from tests import worlds as make
from tests.engine.driving import (
    actions,
    an_hour_passes,
    approve,
    asked,
    attempts,
    die_after_sending,
    drive,
    hold,
    lapse,
    statuses,
    step,
    time_to_look,
)

SEND = "  - send: {{tool: send_{}, ref: R-1, retry: {{max_attempts: 3, backoff: 1s}}}}\n"


def say(execution, by, verdict, **more):
    """A person says what became of the one doubtful send."""
    code = {"happened": "in_their_books", "did_not": "not_in_their_books", "cannot_tell": "no_access"}[verdict]
    said = Said(**{"verdict": verdict, "code": code, "note": "entry 4711", **more})
    return unknown_outcomes.answer(action_id=actions(execution)[0].pk, said=said, by=by)


def started(world, governed, kind):
    governed(SEND.format(kind))
    return make.start(world, "outside")


class TestASystemFailure:
    def test_is_retried_that_step_only_with_the_same_key(self, world, governed, provider):
        governed("  - first: {tool: fetch, ref: R-0}\n" + SEND.format("a"))
        provider.plan("ok", "down", "down")
        execution = make.start(world, "outside")

        drive(execution)

        assert execution.status == "succeeded"
        assert attempts(execution, "first") == [("succeeded", "")]
        assert attempts(execution, "send") == [("failed", "system"), ("failed", "system"), ("succeeded", "")]
        assert len({key for key, _ in provider.sends}) == 1
        assert provider.effects == ["R-1"]

    def test_that_lasts_ends_as_a_dead_letter_after_max_attempts(self, world, governed, provider):
        execution = started(world, governed, "a")
        provider.plan(*["down"] * 9)

        drive(execution)

        assert execution.status == "dead_lettered"
        assert attempts(execution, "send") == [("failed", "system")] * 3
        letter = execution.dead_letters.get()
        assert (letter.component, letter.failure_class, letter.attempts) == ("send_a", "system", 3)
        assert provider.effects == []


class TestNoAnswer:
    @pytest.mark.parametrize("kind", ["a", "b"])
    def test_is_looked_up_first_and_not_sent_again_when_it_happened(self, world, governed, provider, kind):
        execution = started(world, governed, kind)
        provider.plan("drop")
        provider.finding = {"happened": "yes", "result": {"ref": "R-1"}, "detail": "it is in the books"}

        drive(execution)

        assert execution.status == "succeeded"
        assert len(provider.sends) == 1
        assert step(execution, "send").output == {"ref": "R-1"}

    @pytest.mark.parametrize(("kind", "looks"), [("a", 1), ("b", 2)])
    def test_is_sent_again_with_the_same_key_when_it_did_not_happen(self, world, governed, provider, kind, looks):
        execution = started(world, governed, kind)
        provider.plan("vanish")
        provider.finding = {"happened": "no"}

        drive(execution)
        time_to_look()
        drive(execution)

        assert execution.status == "succeeded"
        assert trail.story(execution.pk).count("action.reconciled") == looks
        assert len(provider.sends) == 2
        assert len(set(provider.sends)) == 1
        assert provider.effects == ["R-1"]

    def test_is_not_sent_again_while_it_may_still_be_on_its_way(self, world, governed, provider):
        execution = started(world, governed, "b")
        provider.plan("vanish")
        provider.finding = {"happened": "no"}
        drive(execution)
        assert statuses(execution) == {"send": "unknown_outcome"}

        provider.finding = {"happened": "yes", "result": {"ref": "R-1"}}  # the other side was slow
        time_to_look()
        drive(execution)

        assert execution.status == "succeeded"
        assert len(provider.sends) == 1

    def test_that_happened_partly_is_completed_where_the_key_is_honoured(self, world, governed, provider):
        execution = started(world, governed, "a")
        provider.plan("drop")
        provider.finding = {"happened": "partly"}

        drive(execution)

        assert execution.status == "succeeded"
        assert len(set(provider.sends)) == 1
        assert provider.effects == ["R-1"]

    def test_that_happened_partly_waits_for_a_person_where_no_key_is_honoured(self, world, governed, provider):
        execution = started(world, governed, "b")
        provider.plan("vanish")
        provider.finding = {"happened": "partly", "detail": "one of two"}

        drive(execution)

        assert statuses(execution) == {"send": "unknown_outcome"}
        assert len(provider.sends) == 1

    def test_and_nothing_to_be_found_out_is_safe_to_repeat_where_the_key_is_honoured(self, world, governed, provider):
        execution = started(world, governed, "a")
        provider.plan("drop")

        drive(execution)

        assert execution.status == "succeeded"
        assert len(set(provider.sends)) == 1
        assert provider.effects == ["R-1"]

    @pytest.mark.parametrize("deed", ["drop", "fault"])
    @pytest.mark.parametrize("kind", ["b", "c"])
    def test_and_nothing_to_be_found_out_waits_for_a_person_elsewhere(self, world, governed, provider, kind, deed):
        execution = started(world, governed, kind)
        provider.plan(deed)

        drive(execution)

        assert execution.status == "waiting"
        assert statuses(execution) == {"send": "unknown_outcome"}
        assert len(provider.sends) == 1

    def test_raises_an_alert(self, world, governed, provider):
        execution = started(world, governed, "a")
        provider.plan("drop")

        drive(execution)

        assert "alert.unknown_outcome" in trail.story(execution.pk)

    def test_tells_its_story_in_order(self, world, governed, provider):
        execution = started(world, governed, "a")
        provider.plan("vanish")
        provider.finding = {"happened": "no"}

        drive(execution)

        assert trail.story(execution.pk, "step", "action") == [
            "step.in_progress", "action.proposed", "action.granted", "action.redeemed", "action.unknown",
            "step.system_error", "step.scheduled", "step.pending", "step.in_progress",
            "action.reconciled", "action.granted", "action.redeemed", "action.succeeded", "step.success",
        ]  # fmt: skip


class TestAPersonSaysWhatHappened:
    def parked(self, world, governed, provider):
        execution = started(world, governed, "c")
        provider.plan("drop")
        drive(execution)
        return execution

    def test_it_happened(self, world, governed, provider):
        execution = self.parked(world, governed, provider)

        say(execution, world.ada, "happened")
        drive(execution)

        assert execution.status == "succeeded"
        assert len(provider.sends) == 1

    def test_whoever_says_it_happened_does_not_sign_for_what_rests_on_it(self, world, governed, provider):
        governed(SEND.format("c") + "  - approve: {required: 2}\n")
        provider.plan("drop")
        execution = make.start(world, "outside")
        drive(execution)
        grant(get_user_model().objects.get(pk=world.grace.user_id), "operate", world.unit)
        say(execution, world.grace, "happened", result={"ref": "R-7"})
        drive(execution)

        with pytest.raises(OwnRequest, match="You said what send_c had done"):
            approve(asked(execution), world.grace)

    def test_it_did_not_and_it_is_sent_once_more(self, world, governed, provider):
        execution = self.parked(world, governed, provider)

        say(execution, world.ada, "did_not")
        drive(execution)

        assert execution.status == "succeeded"
        assert len(provider.sends) == 2

    def test_nobody_can_tell_and_it_stays_parked(self, world, governed, provider):
        execution = self.parked(world, governed, provider)

        say(execution, world.ada, "cannot_tell")
        drive(execution)

        assert statuses(execution) == {"send": "unknown_outcome"}
        assert len(provider.sends) == 1


class TestAWorkerThatDiedAfterSending:
    """The send went out, the worker died before it could say so: the same question as no answer."""

    def test_is_looked_up_before_the_retry(self, world, governed, provider):
        execution = started(world, governed, "b")
        die_after_sending(world, execution, "send_b")
        provider.finding = {"happened": "yes", "result": {"ref": "R-1"}}

        drive(execution)

        assert execution.status == "succeeded"
        assert attempts(execution, "send") == [("lost", "lost"), ("succeeded", "")]
        assert provider.sends == []

    def test_is_never_sent_again_unasked_when_nobody_can_tell(self, world, governed, provider):
        execution = started(world, governed, "c")
        die_after_sending(world, execution, "send_c")

        drive(execution)

        assert statuses(execution) == {"send": "unknown_outcome"}
        assert provider.sends == []

    def test_costs_what_the_contract_says_once(self, world, governed, provider):
        more._activated(
            Price(
                name="send", kind="tool", subject="send_b", currency="EUR", per_call=2, valid_from="2020-01-01T00:00Z"
            )
        )
        execution = started(world, governed, "b")
        die_after_sending(world, execution, "send_b")
        provider.finding = {"happened": "yes", "result": {"ref": "R-1"}}

        drive(execution)

        assert execution.status == "succeeded"
        assert [line.amount for line in LedgerEntry.objects.filter(execution_id=execution.pk)] == [2]

    def test_does_not_bother_a_person_with_a_read(self, world, governed, provider):
        governed("  - send: {tool: fetch, ref: R-1}\n")
        execution = make.start(world, "outside")
        die_after_sending(world, execution, "fetch")

        drive(execution)

        assert execution.status == "succeeded"
        assert provider.reads == 1

    @pytest.mark.parametrize("ends", ["dead_lettered", "cancelled"])
    def test_does_not_bother_a_person_with_a_read_that_is_not_repeated(self, world, governed, ends):
        governed("  - send: {tool: fetch, ref: R-1, retry: {max_attempts: 1}}\n")
        execution = make.start(world, "outside")
        segment, action = hold(world, execution, "fetch")
        redeem(action_id=action.pk, by=ENGINE, fence=segment.fence)
        if ends == "cancelled":
            executions.cancel(execution_id=execution.pk, by=world.ada, why="no longer wanted")
            an_hour_passes(segment.fence)
        else:
            lapse(segment.fence)

        drive(execution)

        (read,) = actions(execution)
        assert (execution.status, read.status, read.failure_class) == (ends, "failed", "lost")
        assert not AuditEvent.objects.filter(event="alert.unknown_outcome").exists()
