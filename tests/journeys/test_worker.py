"""`manage.py worker`: it ends when told to and leaves nothing, and it notices when its muscle no longer moves."""

import signal

import psutil
import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from approvals.operations import stops
from orchestrator.models import Attempt
from tests import trail
from tests.plant import kill_the_cluster, running_plant
from tests.worlds import wait_until

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture
def plant(transactional_db, tmp_path, settings, postgres_server):
    trail.install()
    dsn = postgres_server.dsn(connection.settings_dict["NAME"])
    with running_plant(tmp_path, settings, dsn) as plant:
        yield plant
        plant.assert_each_posted_once()
    trail.assert_whole()


class TestCtrlC:
    @pytest.mark.slow
    def test_of_an_idle_worker_leaves_no_process(self, plant):
        plant.wait_for(plant.order(1, "fee"))
        assert len(plant.worker.runners()) > 0

        assert plant.worker.stop(signal.SIGTERM) == []

        plant.worker.start()

    @pytest.mark.slow
    def test_lets_the_step_in_hand_end_and_the_rest_wait_for_the_next_worker(self, plant):
        plant.erp.plan("slow", times=1, seconds=1.5, match={"kind": "bank_fee"})
        execution = plant.order(2, "fee")
        wait_until(lambda: execution.steps.get(key="post").status == "in_progress", seconds=60)

        assert plant.worker.stop() == []

        assert Attempt.objects.filter(status="running").count() == 0
        plant.worker.start()
        assert plant.wait_for(execution).status == "succeeded"
        assert not Attempt.objects.filter(status="lost").exists()


class TestAClusterThatIsGone:
    def test_is_replaced_and_its_work_goes_on(self, plant):
        plant.erp.plan("slow", times=1, seconds=1.5, match={"kind": "bank_fee"})
        execution = plant.order(3, "fee")
        wait_until(lambda: execution.steps.get(key="post").status == "in_progress", seconds=60)

        kill_the_cluster(plant)

        assert plant.wait_for(execution).status == "succeeded"


@pytest.mark.slow
class TestAClusterThatFroze:
    def test_is_replaced_while_all_its_processes_live(self, plant):
        plant.wait_for(plant.order(4, "fee"))
        frozen = plant.worker.muscles()
        for process in frozen:
            process.suspend()

        execution = plant.wait_for(plant.order(5, "fee"))

        assert execution.status == "succeeded"
        assert "restarting the django-q2 cluster: claimed work does not progress" in plant.worker.log.read_text()
        # Killed is not yet reaped: whoever inherits orphans may take a moment.
        assert psutil.wait_procs(frozen, timeout=20)[1] == []


@pytest.mark.slow
class TestASupervisorThatIsKilled:
    def test_takes_its_cluster_and_runners_with_it_and_the_next_one_goes_on(self, plant):
        plant.wait_for(plant.order(6, "fee"))
        family = plant.worker.family()
        execution = plant.order(7, "fee")

        plant.worker.kill()

        assert psutil.wait_procs(family, timeout=20)[1] == []
        plant.worker.start()
        assert plant.wait_for(execution).status == "succeeded"

    def test_takes_even_a_cluster_whose_leader_hangs(self, plant):
        """Nobody watches over it any more: half an hour later it would still claim, or hold what it claimed."""
        plant.wait_for(plant.order(8, "fee"))
        family = plant.worker.family()
        plant.worker.cluster().suspend()

        plant.worker.kill()

        assert psutil.wait_procs(family, timeout=30)[1] == []


@pytest.mark.slow
class TestAStop:
    def test_is_kept_by_a_worker_which_tells_people_and_goes_on_afterwards(self, plant, tmp_path):
        get_user_model().objects.filter(username="grace").update(email="grace@example.com")
        plant.wait_for(plant.order(10, "fee"))
        unit = stops.Target(scope="unit", unit_id=plant.world.unit.pk)
        engaged = stops.engage(target=unit, by=plant.world.ada, reason="the books do not agree")

        execution = plant.order(11, "fee")
        wait_until(lambda: execution.steps.filter(status="stopped").exists(), seconds=60)
        mails = tmp_path / "var" / "mail"
        wait_until(
            lambda: mails.is_dir() and any("Was stopped" in one.read_text() for one in mails.iterdir()), seconds=20
        )

        stops.lift(stop_id=engaged.pk, by=plant.world.ada, why="the books agree again")
        assert plant.wait_for(execution).status == "succeeded"


@pytest.mark.slow
class TestAHolderThatWasStoppedBeyondItsLease:
    @pytest.mark.timeout(300)
    def test_changes_nothing_when_it_comes_back(self, plant):
        plant.erp.plan("slow", times=1, seconds=1, match={"kind": "bank_fee"})
        execution = plant.order(8, "fee")
        wait_until(lambda: execution.steps.get(key="post").status == "in_progress", seconds=60)
        stopped = [psutil.Process(plant.worker.pid), *plant.worker.family()]
        for process in stopped:
            process.suspend()
        with plant.another_worker():
            # Where it was stopped within a transaction, its locks hold until the database ends that, after a minute.
            plant.wait_for(execution, seconds=150)
            for process in stopped:
                process.resume()
            plant.wait_for(plant.order(9, "fee"))

        assert execution.status == "succeeded"
        assert [row.status for row in execution.steps.get(key="post").attempts.in_order()] == ["lost", "succeeded"]
