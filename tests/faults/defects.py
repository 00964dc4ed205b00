"""Planted defects: the mistakes that code like this makes. Each is switched on in the processes of a trial.

The judge must object. A defect names the trials in which it shows. `make chaos` plants all of them, one after the other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now
from django.http import HttpResponse

from approvals.models.notice import Delivery, Notice
from approvals.notifying import deliver, spread
from approvals.notifying.known import Known
from approvals.operations import deciding, voices
from orchestrator.api import idempotency
from orchestrator.engine import calls, claims, execute, settle, successes, sweep
from orchestrator.engine.handback import release_unstarted
from orchestrator.gate import reconcile
from orchestrator.models import Attempt, Step


@dataclass(frozen=True)
class Defect:
    """`promise` is the one it breaks; `shows_in` are names of trials."""

    promise: str
    plant: Callable[[], None]
    shows_in: tuple[str, ...]


_planted: list[Defect] = []


def plant(name: str | None) -> None:
    """From now on every process of a trial has it; None: none."""
    _planted[:] = [DEFECTS[name]] if name else []


def planted() -> str | None:
    return next((name for name, defect in DEFECTS.items() if defect in _planted), None)


def switch_on() -> None:
    """Called in each process of a trial."""
    for defect in _planted:
        defect.plant()


# --- Fences and attempts -----------------------------------------------------------------------------------------


def _no_fence_check() -> None:
    """A result is written whoever holds the step by now; that no row moved goes unnoticed."""
    successes._SETTLE = successes._SETTLE.replace("audit_expect(3 * %(number)s,", "(3 * %(number)s +").replace(
        "_MOVED)", "_MOVED"
    )


def _counted_after_the_run() -> None:
    """The attempt is counted when it is settled, as a queue that counts results does."""
    claims._CLAIM_ANY = claims._CLAIM_ANY.replace("tries = t.tries + 1, ", "")


def _crashes_do_not_count() -> None:
    """A lease that ran out is taken for work that never began."""

    def give_up(attempt_id: Any) -> bool:
        Attempt.objects.filter(pk=attempt_id).update(started_at=None)
        return release_unstarted(attempt_id, why="it is due again")

    sweep._give_up_lease = give_up


def _nobody_sweeps() -> None:
    """Leases of the dead are not looked for."""
    sweep._give_up_lease = lambda _: False


def _reservations_outlive_their_attempts() -> None:
    """What the dead had reserved is not given back."""
    settle.release = lambda *_, **__: False
    sweep._release = lambda _: False


# --- Effects -------------------------------------------------------------------------------------------------------


def _send_again_without_looking() -> None:
    """No answer is taken for nothing happened."""

    def blindly(segment: Any, action: Any) -> None:
        reconcile.regrant(action_id=action.pk, by=claims.ENGINE, why="try again")

    calls.settle_doubt = blindly  # type: ignore[assignment]


def _a_new_key_for_every_try() -> None:
    """The idempotency key is made where it is sent."""
    run_tool = calls.run_tool

    def under_another_key(segment: Any, contract: Any, ticket: Any) -> Any:
        object.__setattr__(ticket, "idempotency_key", f"{ticket.idempotency_key}-{segment.attempt_number}")
        return run_tool(segment, contract, ticket)

    calls.run_tool = under_another_key
    _send_again_without_looking()


def _check_then_charge() -> None:
    """The cost is written after the run was settled, in a transaction of its own."""
    charge, settle_success = settle.charge, execute.settle_success
    settle.charge = lambda segment: None

    def settle_then_charge(segment: Any, **more: Any) -> Any:
        claim = settle_success(segment, **more)
        charge(segment)
        return claim

    execute.settle_success = settle_then_charge


# --- Commands ------------------------------------------------------------------------------------------------------


def _the_answer_is_stored_afterwards() -> None:
    """Look the key up, act, then store the answer: three steps, and one may be missing."""

    def once(caller: str, key: str, wanted: str, act: Callable[[], Any]) -> HttpResponse:
        stored = idempotency.StoredReply.objects.filter(caller=caller, key=key).first()
        if stored is not None:
            return idempotency._response(stored, replayed=True)
        reply = idempotency._stored(act())
        reply.caller, reply.key, reply.request_digest = caller, key, wanted
        reply.save(force_insert=True)
        return idempotency._response(reply)

    idempotency._once = once


def _a_command_does_not_wait_for_the_disk() -> None:
    """The client is told that it is done while it is in the memory of the database only."""
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")


# --- People --------------------------------------------------------------------------------------------------------


def _approve_whatever_waits_now() -> None:
    """The signature is taken for what the request has become, not for what was read."""

    def refuse_unless_open(request: Any, by: Any, voice: Any, verdict: Any) -> None:
        voices.refuse_unless_waiting(request, by, digest=request.digest, revision=request.revision)

    def record(request: Any, by: Any, verdict: str, voice: Any, right: Any) -> None:
        object.__setattr__(voice, "digest", request.digest)
        object.__setattr__(voice, "revision", request.revision)
        voices.record(request, by, verdict, voice, right)

    deciding.refuse_unless_open, deciding.record = refuse_unless_open, record


# --- Notices -------------------------------------------------------------------------------------------------------


def _read_on_from_the_last_id() -> None:
    """An outbox read by `id > last`: whoever commits later with an earlier id is never seen."""
    cursor = Path(settings.VAR_DIR) / "cursor"

    def spread_on() -> int:
        with transaction.atomic():
            fresh = Notice.objects.select_related("request").order_by("id")
            if cursor.exists():
                fresh = fresh.filter(id__gt=cursor.read_text())
            notices = list(fresh[:50])
            known = Known(notices)
            for notice in notices:
                Delivery.objects.bulk_create(spread._calls(notice, known), ignore_conflicts=True)
            Notice.objects.filter(pk__in=[notice.pk for notice in notices]).update(spread_at=Now())
        if notices:
            cursor.write_text(str(notices[-1].pk))
        return len(notices)

    deliver.spread = spread_on


def _sent_before_it_is_sent() -> None:
    """Marked as delivered, then delivered: at most once."""
    call = deliver._call

    def mark_and_call(delivery: Any) -> None:
        Delivery.objects.filter(pk=delivery.pk).update(sent_at=Now())
        call(delivery)

    deliver._call = mark_and_call


# --- The trail -----------------------------------------------------------------------------------------------------


def _a_change_without_its_event() -> None:
    """A timer is woken by plain UPDATE."""

    def wake(step_id: Any) -> bool:
        return bool(Step.objects.filter(pk=step_id, status="scheduled").update(status="pending", due_at=Now()))

    sweep._wake_timer = wake


def _its_event_in_another_transaction() -> None:
    """The change first, its record afterwards."""
    settle_lost = sweep.settle_lost

    def later(attempt_id: Any, *, why: str) -> bool:
        Attempt.objects.filter(pk=attempt_id, status="running").update(status="lost", finished_at=Now())
        return settle_lost(attempt_id, why=why)

    sweep.settle_lost = later


DEFECTS = {
    "the fence is not checked": Defect("I3", _no_fence_check, ("three_steps/settle.before:3:stop",)),
    "the attempt is counted after the run": Defect("I5", _counted_after_the_run, ("three_steps/handler.ended:1:kill",)),
    "a crash does not count as a try": Defect("I5", _crashes_do_not_count, ("three_steps/handler.ended:1:kill",)),
    "nobody looks for leases of the dead": Defect("I6", _nobody_sweeps, ("three_steps/begin.committed:1:kill",)),
    "a doubtful send is repeated without a look": Defect(
        "I1", _send_again_without_looking, ("class_b/send.answered:1:kill", "class_c/send.answered:1:kill")
    ),
    "every try has a key of its own": Defect("I1", _a_new_key_for_every_try, ("class_a/send.answered:1:kill",)),
    "check, then charge": Defect("I18", _check_then_charge, ("costly/atomic.settle.settle_success.committed:1:kill",)),
    "reservations outlive their attempts": Defect(
        "I18", _reservations_outlive_their_attempts, ("budgeted/handler.ended:1:kill",)
    ),
    "the answer is stored after the act": Defect(
        "I8", _the_answer_is_stored_afterwards, ("three_steps/start.committed:1:kill",)
    ),
    "a command does not wait for the disk": Defect(
        "I2", _a_command_does_not_wait_for_the_disk, ("three_steps/atomic.idempotency._once.committed:1:restart",)
    ),
    "approve without revision": Defect("I9", _approve_whatever_waits_now, ("edited/",)),
    "an outbox read by id": Defect(
        "I30", _read_on_from_the_last_id, ("signed_twice/atomic.propose.propose.full:1:stop",)
    ),
    "delivered before it is sent": Defect("I30", _sent_before_it_is_sent, ("signed/notify.before_send:1:kill",)),
    "a change without its event": Defect("I19", _a_change_without_its_event, ("retries/",)),
    "its event in another transaction": Defect(
        "I19", _its_event_in_another_transaction, ("three_steps/begin.committed:1:kill",)
    ),
}
