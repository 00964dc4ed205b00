"""Claims of workers that are gone. One that never began is given back and does not count as a try; one that did is lost."""

from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from audit import failpoints, rounds
from audit.lifecycle import move
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
    """Nothing of it could run on this host: its step is due again after a while, and it was no try. False when it is over."""
    execution_id = Attempt.objects.filter(pk=attempt_id).values_list("execution_id", flat=True).first()
    if execution_id is None:
        return False
    lock_execution(execution_id)
    attempt = Attempt.objects.select_for_update().filter(pk=attempt_id, status=AttemptStatus.RUNNING).first()
    step = Step.objects.filter(attempt_id=attempt_id, status=StepStatus.IN_PROGRESS).first()
    if attempt is None or step is None:
        return False
    move(attempt, to=AttemptStatus.RELEASED, by=ENGINE, why=why, finished_at=Now(), message=why)
    move(step, to=StepStatus.PENDING, by=ENGINE, why=why, due_at=Now() + PUT_OFF_FOR, tries=F("tries") - 1)
    return True


@transaction.atomic
def release_unstarted(attempt_id: UUID, *, why: str) -> bool:
    """Make the step due again as if it had not been claimed.

    False when its work has begun, somebody else has it, or a crash of the database has forgotten the claim: then it is due.
    """
    execution_id = Attempt.objects.filter(pk=attempt_id).values_list("execution_id", flat=True).first()
    if execution_id is None:
        return False
    execution = lock_execution(execution_id)
    attempt = (
        Attempt.objects.select_for_update().filter(pk=attempt_id, status=AttemptStatus.RUNNING, started_at=None).first()
    )
    step = Step.objects.filter(attempt_id=attempt_id, status=StepStatus.IN_PROGRESS).first()
    if attempt is None or step is None:
        return False
    move(attempt, to=AttemptStatus.RELEASED, by=ENGINE, why=why, finished_at=Now(), message=why)
    # It keeps its place before what became due since.
    move(step, to=StepStatus.PENDING, by=ENGINE, why=why, due_at=attempt.claimed_at, tries=F("tries") - 1)
    wake(execution.pk)
    return True
