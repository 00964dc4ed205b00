"""Places at which a test may break the system, by name. In production each is a call of a function that does nothing.

Around every outermost transaction the harness finds its places by itself (`atomic.<function>.begun`, `.full`, `.committed`);
here stand those it cannot find: statements that are a transaction by themselves, what goes out into the world, and loops.
The function that breaks things lives in the test package (tests/faults), which a production host need not have at all.
"""

# Name -> what a death there leaves behind.
POINTS = {
    "start.before": "nothing of the execution is stored",
    "start.committed": "it is stored, and whoever asked for it does not know",
    "claim.before": "the step is due, nobody's",
    "claim.committed": "the step is claimed, and nobody works on it",
    "begin.before": "claimed, its work has not begun",
    "begin.committed": "begun, and nothing of it done",
    "renew.before": "a lease that was about to be renewed",
    "renew.committed": "a lease that was renewed, and its holder is gone",
    "handler.before": "an agent's handler was about to run",
    "handler.ended": "it ran, and its result was not settled",
    "settle.before": "the result is in the worker's memory only",
    "settle.committed": "settled, with the next step claimed by somebody who is gone",
    "park.before": "people are to be asked, and nothing of it is stored",
    "park.committed": "the step waits and people are asked; its worker is gone",
    "call.looked": "what stands for a call was read, and may not stand any more",
    "send.before": "the intent is stored, nothing was sent",
    "send.under_way": "handed to the handler, perhaps sent, no answer read",
    "send.answered": "sent and answered, and the answer is in memory only",
    "send.charged": "its cost is stored, its outcome is not",
    "send.reported": "its outcome is stored, and the step is not settled",
    "look_up.before": "a doubtful send was about to be looked up",
    "look_up.answered": "what was found out is in memory only",
    "broker.claimed": "claims on their way into django-q2's queue",
    "crew.begun": "begun, and in no hand yet",
    "sweep.duty": "a duty of the sweep, before its row is healed",
    "sweep.healed": "a row is healed, the rest of the round is not",
    "escalate.due": "a request's next step is due, and not taken",
    "notify.claimed": "messages are claimed for sending, none is sent",
    "notify.before_send": "one message was about to go out",
    "notify.under_way": "the other system has it, its answer was not read",
    "notify.sent": "it was taken, and that is not stored",
    "notify.recorded": "it was taken, and that is stored",
    "handback.lapsed": "a dead worker's leases are ended, its attempts are not counted as lost yet",
}

# Outermost transactions that some scenario opens; each has the three places named above.
TRANSACTIONS = (
    "alerting.judge_all",
    "alerting.judge_slowly",
    "deciding.approve",
    "edit.edit",
    "escalation._escalate",
    "handback.release_unstarted",
    "idempotency._once",
    "parking.settle_parked",
    "propose.propose",
    "reconcile.apply_finding",
    "reconcile.look_again_later",
    "reconcile.regrant",
    "redeem._redeem",
    "redeem.void_granted",
    "reminders.act",
    "report.report",
    "rollups.fold",
    "settle.settle_failure",
    "settle.settle_lost",
    "settle.settle_success",
    "sign_ins.forget_old",
    "spread.spread",
    "stopped.go_on",
    "stops.engage",
    "stops.lift",
    "sweep._wake_timer",
    "unknown_outcomes.answer",
)
EDGES = ("begun", "full", "committed")


def every_point() -> set[str]:
    return {*POINTS, *(f"atomic.{name}.{edge}" for name in TRANSACTIONS for edge in EDGES)}


def _nothing(name: str) -> None:
    """What production does at every place."""


hit = _nothing


def is_inert() -> bool:
    """Whether nothing can happen at any place."""
    return hit is _nothing
