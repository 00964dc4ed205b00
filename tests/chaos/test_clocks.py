"""The clocks of two hosts are wrong by ten minutes, one fast and one slow. No decision depends on them: the database's counts."""

import json

import pytest
from django.db import connection

from orchestrator.models import Attempt, Execution
from tests import trail
from tests.plant import running_plant, signing

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chaos, pytest.mark.timeout(600)]
ORDERS = 24


def off(seconds: int) -> dict[str, str]:
    return {"DJANGO_SETTINGS_MODULE": "tests.faults.settings", "FAULTS": json.dumps({"clock_off": seconds})}


class TestTwoHostsWithWrongClocks:
    def test_do_what_hosts_with_right_clocks_do(self, transactional_db, tmp_path, settings, postgres_server):
        trail.install()
        dsn = postgres_server.dsn(connection.settings_dict["NAME"])
        with (
            running_plant(tmp_path, settings, dsn, **off(600), LEASE_SECONDS="10") as plant,
            plant.another_worker(**off(-600)),
            signing(plant),
        ):
            orders = [plant.order(n, "matched", "fee", *["refund"] * (n % 2)) for n in range(1, ORDERS + 1)]
            for order in orders:
                plant.wait_for(order, seconds=180)

            assert set(Execution.objects.values_list("status", flat=True)) == {"succeeded"}
            assert not Attempt.objects.filter(failure_class="lost").exists()
            hosts = {
                worker.partition(":")[2].partition(":")[0]
                for worker in Attempt.objects.values_list("worker", flat=True)
            }
            assert len(hosts) == 2
            plant.assert_each_posted_once()
            trail.assert_whole()
