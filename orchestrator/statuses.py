"""Every status of the composer and every edge, on two screens. Enforced by audit.lifecycle.move() and by the database.

Drawn in orchestrator/README.md by `manage.py diagrams`; a difference fails a test.
"""

from django.db import models

from audit.lifecycle import Lifecycle


class StepStatus(models.TextChoices):
    PENDING = "pending"  # not yet due, or due and waiting for a worker
    IN_PROGRESS = "in_progress"  # claimed: an attempt holds the lease
    SUCCESS = "success"
    BUSINESS_ERROR = "business_error"  # understood and impossible: never retried
    SYSTEM_ERROR = "system_error"  # the outside world failed; a decision follows in the same transaction
    SCHEDULED = "scheduled"  # an authorised retry waits for its time, same idempotency key
    DEAD_LETTER = "dead_letter"  # exhausted or not retriable: somebody owns it now
    AWAITING_APPROVAL = "awaiting_approval"  # a person's time, which does not count as work
    BUDGET_HOLD = "budget_hold"
    THROTTLED = "throttled"  # over a limit for now: asks again when its time has come
    STOPPED = "stopped"  # a person has stopped what it would do; goes on by itself when the stop is lifted
    UNKNOWN_OUTCOME = "unknown_outcome"  # sent, no answer, and nobody can look it up: a person says what happened
    CANCELLED = "cancelled"
    SKIPPED = "skipped"  # branch not taken


class ExecutionStatus(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"  # nothing to do until a person decides
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DEAD_LETTERED = "dead_lettered"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"


class AttemptStatus(models.TextChoices):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PARKED = "parked"  # gave its worker back while a person decides
    LOST = "lost"  # the lease ran out: the worker died
    RELEASED = "released"  # handed back unstarted by a worker that is shutting down


class ActionStatus(models.TextChoices):
    PROPOSED = "proposed"
    HELD = "held"
    SENT_BACK = "sent_back"  # a reviewer asked something: the asker has the next word
    GRANTED = "granted"
    REDEEMED = "redeemed"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DENIED = "denied"
    REJECTED = "rejected"
    ANSWERED = "answered"  # a person gave the result; nothing was carried out
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    VOID = "void"
    UNDONE = "undone"


class BreakerStatus(models.TextChoices):
    CLOSED = "closed"  # calls go out
    OPEN = "open"  # the other system keeps failing: nothing is sent for a while
    TRYING = "trying"  # one call finds out whether it answers again


class DeadLetterStatus(models.TextChoices):
    OPEN = "open"
    REDRIVEN = "redriven"
    FIXED = "fixed"
    DISCARDED = "discarded"
    ENDED = "ended"  # over without a success: a business error after the redrive, or the execution was cancelled


class GroupStatus(models.TextChoices):
    NEW = "new"
    ONGOING = "ongoing"
    ESCALATING = "escalating"  # several times as many as usual within the last hour
    REGRESSED = "regressed"  # said to be fixed, and it came back where the fix should be
    PARKED = "parked"  # a person let it rest until a time, or until it grows
    FIXED = "fixed"
    MERGED = "merged"  # its letters, also those to come, are in another group


class OperationStatus(models.TextChoices):
    PREVIEWED = "previewed"  # the set is frozen; nothing is done before its person confirms
    SECOND_PERSON = "second_person"  # confirmed by one; so many need another
    RUNNING = "running"
    PAUSED = "paused"  # by a person
    HALTED = "halted"  # by its own stop condition: a person looks before it goes on
    CANCELLED = "cancelled"
    DONE = "done"


class ItemStatus(models.TextChoices):
    LEFT_OUT = "left_out"  # by the preview, with the reason
    WAITING = "waiting"
    UNDER_WAY = "under_way"  # queued for retry, and nothing seen yet
    FIXED = "fixed"  # the step was seen to succeed
    FAILED = "failed"
    REFUSED = "refused"  # by the letter as it was then
    DISCARDED = "discarded"
    NOT_TRIED = "not_tried"  # the operation was cancelled first


class AlertStatus(models.TextChoices):
    OPEN = "open"  # seen, and nobody has said that they know
    ACKNOWLEDGED = "acknowledged"  # a person has said that they know; what it speaks of is still so
    RESOLVED = "resolved"  # seen to be over, by the rule that saw it


_S, _E, _T, _A, _D = StepStatus, ExecutionStatus, AttemptStatus, ActionStatus, DeadLetterStatus
_G, _O, _I, _R = GroupStatus, OperationStatus, ItemStatus, AlertStatus

STEP = Lifecycle(
    "step",
    {
        _S.PENDING: {_S.IN_PROGRESS, _S.SKIPPED, _S.CANCELLED, _S.BUSINESS_ERROR, _S.BUDGET_HOLD},
        _S.IN_PROGRESS: {
            _S.SUCCESS, _S.BUSINESS_ERROR, _S.SYSTEM_ERROR, _S.AWAITING_APPROVAL, _S.UNKNOWN_OUTCOME,
            _S.BUDGET_HOLD, _S.STOPPED, _S.THROTTLED, _S.PENDING, _S.CANCELLED,
        },
        _S.SYSTEM_ERROR: {_S.SCHEDULED, _S.DEAD_LETTER, _S.AWAITING_APPROVAL, _S.UNKNOWN_OUTCOME},
        _S.SCHEDULED: {_S.PENDING, _S.CANCELLED},
        _S.AWAITING_APPROVAL: {_S.PENDING, _S.SUCCESS, _S.BUSINESS_ERROR, _S.DEAD_LETTER, _S.CANCELLED},
        _S.BUDGET_HOLD: {_S.PENDING, _S.CANCELLED},
        _S.STOPPED: {_S.PENDING, _S.CANCELLED},
        _S.THROTTLED: {_S.PENDING, _S.CANCELLED},
        _S.UNKNOWN_OUTCOME: {_S.PENDING, _S.DEAD_LETTER, _S.CANCELLED},
        _S.DEAD_LETTER: {_S.PENDING, _S.CANCELLED},
        _S.SUCCESS: set(),
        _S.BUSINESS_ERROR: set(),
        _S.CANCELLED: set(),
        _S.SKIPPED: set(),
    },
    initial={_S.PENDING},
)  # fmt: skip

EXECUTION = Lifecycle(
    "execution",
    {
        _E.QUEUED: {_E.RUNNING, _E.CANCELLED, _E.TIMED_OUT},
        _E.RUNNING: {_E.WAITING, _E.SUCCEEDED, _E.FAILED, _E.DEAD_LETTERED, _E.CANCELLED, _E.TIMED_OUT},
        _E.WAITING: {_E.RUNNING, _E.SUCCEEDED, _E.FAILED, _E.DEAD_LETTERED, _E.CANCELLED, _E.TIMED_OUT},
        _E.DEAD_LETTERED: {_E.RUNNING, _E.CANCELLED},
        _E.SUCCEEDED: set(),
        _E.FAILED: set(),
        _E.CANCELLED: set(),
        _E.TIMED_OUT: set(),
    },
    initial={_E.QUEUED},
)

ATTEMPT = Lifecycle(
    "attempt",
    {
        _T.RUNNING: {_T.SUCCEEDED, _T.FAILED, _T.PARKED, _T.LOST, _T.RELEASED},
        _T.SUCCEEDED: set(),
        _T.FAILED: set(),
        _T.PARKED: set(),
        _T.LOST: set(),
        _T.RELEASED: set(),
    },
    initial={_T.RUNNING},
)

ACTION = Lifecycle(
    "action",
    {
        _A.PROPOSED: {_A.GRANTED, _A.HELD, _A.DENIED},
        _A.HELD: {_A.GRANTED, _A.REJECTED, _A.ANSWERED, _A.SENT_BACK, _A.EXPIRED, _A.WITHDRAWN, _A.VOID},
        _A.SENT_BACK: {_A.HELD, _A.EXPIRED, _A.WITHDRAWN, _A.VOID},
        # Granted again after a send that may have happened, and then not sent again: as open as before.
        _A.GRANTED: {_A.REDEEMED, _A.EXPIRED, _A.WITHDRAWN, _A.VOID, _A.UNKNOWN},
        _A.REDEEMED: {_A.SUCCEEDED, _A.FAILED, _A.UNKNOWN},
        # An authorised retry grants the same action again: same bytes, same key.
        _A.UNKNOWN: {_A.SUCCEEDED, _A.FAILED, _A.GRANTED},
        _A.FAILED: {_A.GRANTED, _A.VOID},
        _A.SUCCEEDED: {_A.UNDONE},
        _A.DENIED: set(),
        _A.REJECTED: set(),
        _A.ANSWERED: set(),
        _A.EXPIRED: set(),
        _A.WITHDRAWN: set(),
        _A.VOID: set(),
        _A.UNDONE: set(),
    },
    initial={_A.PROPOSED},
)

DEAD_LETTER = Lifecycle(
    "dead letter",
    {
        _D.OPEN: {_D.REDRIVEN, _D.DISCARDED, _D.ENDED},
        _D.REDRIVEN: {_D.OPEN, _D.FIXED, _D.DISCARDED, _D.ENDED},
        _D.FIXED: set(),
        _D.DISCARDED: set(),
        _D.ENDED: set(),
    },
    initial={_D.OPEN},
)

BREAKER = Lifecycle(
    "breaker",
    {
        BreakerStatus.CLOSED: {BreakerStatus.OPEN},
        BreakerStatus.OPEN: {BreakerStatus.TRYING, BreakerStatus.CLOSED},
        BreakerStatus.TRYING: {BreakerStatus.CLOSED, BreakerStatus.OPEN},
    },
    initial={BreakerStatus.CLOSED},
)

FAILURE_GROUP = Lifecycle(
    "failure group",
    {
        _G.NEW: {_G.ONGOING, _G.ESCALATING, _G.PARKED, _G.FIXED, _G.MERGED},
        _G.ONGOING: {_G.ESCALATING, _G.PARKED, _G.FIXED, _G.MERGED},
        _G.ESCALATING: {_G.ONGOING, _G.PARKED, _G.FIXED, _G.MERGED},
        _G.REGRESSED: {_G.ONGOING, _G.ESCALATING, _G.PARKED, _G.FIXED, _G.MERGED},
        _G.PARKED: {_G.ONGOING, _G.FIXED, _G.MERGED},
        _G.FIXED: {_G.REGRESSED, _G.ONGOING, _G.MERGED},
        _G.MERGED: {_G.ONGOING},
    },
    initial={_G.NEW},
)

OPERATION = Lifecycle(
    "operation",
    {
        _O.PREVIEWED: {_O.RUNNING, _O.SECOND_PERSON, _O.CANCELLED},
        _O.SECOND_PERSON: {_O.RUNNING, _O.CANCELLED},
        _O.RUNNING: {_O.PAUSED, _O.HALTED, _O.CANCELLED, _O.DONE},
        _O.PAUSED: {_O.RUNNING, _O.CANCELLED},
        _O.HALTED: {_O.RUNNING, _O.CANCELLED},
        _O.CANCELLED: set(),
        _O.DONE: set(),
    },
    initial={_O.PREVIEWED},
)

ITEM = Lifecycle(
    "operation item",
    {
        _I.LEFT_OUT: set(),
        _I.WAITING: {_I.UNDER_WAY, _I.REFUSED, _I.DISCARDED, _I.NOT_TRIED},
        # What is under way when its operation is cancelled still ends in what was seen of it.
        _I.UNDER_WAY: {_I.FIXED, _I.FAILED},
        _I.FIXED: set(),
        _I.FAILED: set(),
        _I.REFUSED: set(),
        _I.DISCARDED: set(),
        _I.NOT_TRIED: set(),
    },
    initial={_I.WAITING, _I.LEFT_OUT},
)

# Not called "alert": an audit event `alert.*` is a fact that raises one.
ALERT = Lifecycle(
    "raised alert",
    {
        _R.OPEN: {_R.ACKNOWLEDGED, _R.RESOLVED},
        _R.ACKNOWLEDGED: {_R.RESOLVED},
        _R.RESOLVED: {_R.OPEN},
    },
    initial={_R.OPEN},
)
