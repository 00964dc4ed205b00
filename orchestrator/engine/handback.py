"""Claims of workers that are gone. One that never began is given back and does not count as a try; one that did is lost."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from audit import failpoints, rounds
from audit.lifecycle import move, note
from orchestrator.engine.advance import wake
from orchestrator.engine.claims import ENGINE
from orchestrator.engine.settle import settle_lost
from orchestrator.gate.locks import lock_execution
from orchestrator.models import Attempt, Step
from orchestrator.statuses import AttemptStatus, StepStatus

# Long enough for a disk to be emptied or the rest of a roll-out; short beside what people wait for.
PUT_OFF_FOR = timedelta(minutes=1)


def hand_back(worker: str) -> None:
    """Nobody of that cluster is alive: its leases end now, not when they run out."""
    mine = Attempt.objects.filter(worker=worker, status=AttemptStatus.RUNNING)
    unstarted = list(mine.filter(started_at=None).values_list("pk", flat=True))
    rounds.each(unstarted, partial(release_unstarted, why="handed back unstarted by a worker that stopped"))
    # Nobody of that group is alive, so the promise of the lease is moot.
    mine.update(lease_expires_at=Now())
    failpoints.hit("handback.lapsed")
    rounds.each(list(mine.values_list("pk", flat=True)), partial(settle_lost, why="The worker was killed."))


@transaction.atomic
def put_off(attempt_id: UUID, *, why: str) -> bool:
    """Nothing of it could run on this host: its step is due again after a while, and it was no try. False when it is over.

    Somebody is told: it may go on like this for as long as no other host takes it, and nothing else is late meanwhile.
    """
    attempt = _given_back(attempt_id, why=why, due=lambda _: Now() + PUT_OFF_FOR)
    if attempt is None:
        return False
    note(attempt.step, "alert.cannot_start", by=ENGINE, why=why, data={"step": attempt.step.key})
    return True


@transaction.atomic
def release_unstarted(attempt_id: UUID, *, why: str) -> bool:
    """Make the step due again as if it had not been claimed: it keeps its place before what became due since.

    False when its work has begun, somebody else has it, or a crash of the database has forgotten the claim: then it is due.
    """
    attempt = _given_back(attempt_id, why=why, due=lambda claimed: claimed.claimed_at, started_at=None)
    if attempt is None:
        return False
    wake(attempt.execution_id)
    return True


def _given_back(attempt_id: UUID, *, why: str, due: Callable[[Attempt], Any], **only: Any) -> Attempt | None:
    """The attempt, if it ran under these conditions and its step could be made due again without counting a try."""
    execution_id = Attempt.objects.filter(pk=attempt_id).values_list("execution_id", flat=True).first()
    if execution_id is None:
        return None
    lock_execution(execution_id)
    running = Attempt.objects.select_for_update().filter(pk=attempt_id, status=AttemptStatus.RUNNING, **only)
    attempt: Attempt | None = running.first()
    step = Step.objects.filter(attempt_id=attempt_id, status=StepStatus.IN_PROGRESS).first()
    if attempt is None or step is None:
        return None
    move(attempt, to=AttemptStatus.RELEASED, by=ENGINE, why=why, finished_at=Now(), message=why)
    move(step, to=StepStatus.PENDING, by=ENGINE, why=why, due_at=due(attempt), tries=F("tries") - 1)
    return attempt
