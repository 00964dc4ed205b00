"""The reconciliation example takes its postings back: real processes, a reversal nobody answers for, a killed worker."""

import pytest
from django.db import connection

from approvals.models import ApprovalRequest
from orchestrator.models import Action
from orchestrator.queries.undoing import undoings_of
from orchestrator.releases.undoing import undo_execution
from tests import trail
from tests.plant import kill_the_cluster, running_plant, sign
from tests.worlds import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def plant(transactional_db, tmp_path, settings, postgres_server):
    trail.install()
    dsn = postgres_server.dsn(connection.settings_dict["NAME"])
    with running_plant(tmp_path, settings, dsn) as plant:
        yield plant
    trail.assert_whole()


def sign_next(run, by):
    """The one request of the undo that waits."""
    waiting = ApprovalRequest.objects.filter(execution_id=run.pk, status="pending")
    wait_until(waiting.exists, seconds=30)
    sign(waiting.get(), by)


def books(plant):
    """Reference, status, lines: what the ERP itself has written."""
    found = plant.erp.get("/books")["postings"]
    return sorted((one["reference"].partition("-")[0], one["status"], one["lines_written"]) for one in found)


class TestAPostedBatch:
    def test_is_reversed_once_each_though_no_answer_comes_and_the_worker_is_killed(self, plant):
        execution = plant.order(1, "fee", "refund")
        wait_until(lambda: ApprovalRequest.objects.filter(execution_id=execution.pk).exists(), seconds=60)
        sign(ApprovalRequest.objects.get(execution_id=execution.pk), plant.world.grace)
        assert plant.wait_for(execution).status == "succeeded"

        plant.erp.plan("drop_reply", times=1, match={"path": "/reversals"})
        run = undo_execution(execution_id=execution.pk, by=plant.world.ada, why="The statement was the wrong one")
        sign_next(run, plant.world.grace)
        wait_until(lambda: Action.objects.filter(status="undone").count() == 1, seconds=60)

        plant.erp.plan("slow", times=1, seconds=1.5, match={"path": "/reversals"})
        sign_next(run, plant.world.grace)
        wait_until(lambda: Action.objects.filter(execution_id=run.pk, status="redeemed").exists(), seconds=30)
        kill_the_cluster(plant)

        assert plant.wait_for(run).status == "succeeded"
        assert books(plant) == [("ADJ", "reversed", 4)] * 2 + [("REV", "complete", 4)] * 2
        found = undoings_of([execution])[execution.pk]
        # The upload of the batch has no compensating tool: both postings are taken back, and it stays.
        assert (found.state, found.undone, found.left) == ("partly_compensated", 2, 1)
        told = trail.story(execution.pk)
        assert told.count("action.undone") == 2
        assert "execution.undo_asked" in told
