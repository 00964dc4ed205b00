"""Two at once: nobody waits in a circle, and one hint makes one action."""

import threading

from django.db import connections, transaction

from approvals.models import ApprovalRequest
from orchestrator.engine.segment import begin
from orchestrator.engine.settle import settle_lost
from orchestrator.gate.locks import lock_action
from orchestrator.gate.propose import propose
from orchestrator.gate.redeem import redeem
from orchestrator.models import Action, Agent
from tests import worlds as make
from tests.engine.driving import approve, claim, lapse


def in_thread(act, errors):
    def run():
        try:
            act()
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_late_report_and_the_sweep_of_its_lost_lease_do_not_wait_for_each_other(world, publish):
    publish(make.PAY_WORKFLOW)
    execution, request = make.held_execution(world)
    approve(request, world.grace)
    fence = claim().fence
    begin(fence)
    action = Action.objects.get(execution_id=execution.pk)
    redeem(action_id=action.pk, by=make.SETUP, fence=fence)
    lapse(fence)
    errors: list[Exception] = []

    with transaction.atomic():
        ApprovalRequest.objects.select_for_update().get(pk=request.pk)  # the first lock of every report
        sweep = in_thread(lambda: settle_lost(fence, why="lost"), errors)
        sweep.join(0.3)
        lock_action(action.pk)
    sweep.join()

    assert errors == []
    action.refresh_from_db()
    assert action.status == "unknown"


def test_the_same_hint_from_several_threads_is_one_action(world):
    made, errors, together = [], [], threading.Barrier(4)

    def ask():
        together.wait()
        made.append(
            propose(
                tool="look", arguments={}, agent="clerk", unit_id=world.unit.pk, by=make.SETUP, idempotency_hint="h"
            ).pk
        )

    for thread in [in_thread(ask, errors) for _ in range(4)]:
        thread.join()

    assert errors == []
    assert len(made) == 4
    assert len(set(made)) == 1


def test_whoever_redeems_for_an_agent_does_not_wait_until_anothers_redemption_for_it_is_over(world):
    def looking():
        return propose(tool="look", arguments={}, agent="clerk", unit_id=world.unit.pk, by=make.SETUP).pk

    first, slow, quick = looking(), looking(), looking()
    redeem(action_id=first, by=make.SETUP)
    errors: list[Exception] = []

    with transaction.atomic():
        redeem(action_id=slow, by=make.SETUP)
        other = in_thread(lambda: redeem(action_id=quick, by=make.SETUP), errors)
        other.join(5)
        waited = other.is_alive()
    other.join()

    assert errors == []
    assert not waited
    assert Agent.objects.active().get(name="clerk").last_used_at is not None
