"""A dump of the database is read into another server, whose transactions begin anew: every sum stays what the ledger says."""

import json
import subprocess
from decimal import Decimal

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Sum

from audit.models import AuditEvent
from budgets.operations import Place, charge
from budgets.pricing import Usage
from config import postgres_root
from config.postgres import FORGETFUL, Server
from orchestrator.engine.sums.rollups import fold
from orchestrator.models import Cost, CostFold, CostRollup, Execution, RunLevel, RunTotal, TraceExport
from orchestrator.models.trace_export import START
from orchestrator.telemetry.ended import closed, ended
from tests import make

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(300)]
# More transactions than reading a dump takes.
EARLIER = "DO $$ BEGIN FOR n IN 1..20000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"


@pytest.fixture
def move(postgres_server, tmp_path):
    """Go on with the same rows on a server that has just been made, until the test ends."""
    there, here = Server(tmp_path, FORGETFUL), dict(connection.settings_dict)
    there.ensure_running()
    with connection.cursor() as cursor:
        cursor.execute(EARLIER)

    def moved():
        connection.close()
        dump = run("pg_dump", "--format=custom", postgres_server.dsn(here["NAME"]))
        with psycopg.connect(there.dsn("postgres"), autocommit=True) as door:
            door.execute("CREATE DATABASE copy")
        run("pg_restore", "--single-transaction", f"--dbname={there.dsn('copy')}", given=dump)
        connection.settings_dict.update(NAME="copy", HOST=str(there.socket_dir), PASSWORD=there._password())

    yield moved
    connection.close()
    connection.settings_dict.update(here)
    there.stop()


def run(tool, *arguments, given=None):
    return subprocess.run(
        [postgres_root.programs() / tool, *arguments], input=given, check=True, capture_output=True
    ).stdout


@pytest.fixture
def spent():
    """Two executions and what they cost, all of it kept in sums; and traces that go out."""
    unit = make.unit()
    spend(unit, execution=make.execution("succeeded"))
    make.execution("failed")
    call_command("rebuild_rollups", verbosity=0)
    TraceExport.objects.create(written_in=closed()[0], last_id=START)
    return unit


def spend(unit, cost="0.10", *, execution):
    usage = Usage(cost=Decimal(cost), currency="USD", model="house", input_tokens=100, output_tokens=10)
    return charge(usage, Place(unit_id=unit.pk, agent="poster", execution_id=execution and execution.pk))


def total(model, of):
    return model.objects.aggregate(total=Sum(of))["total"]


def agree():
    assert total(CostRollup, "amount") == total(Cost, "amount") == total(RunTotal, "cost")
    assert total(CostRollup, "lines") == total(Cost, "lines")
    assert RunLevel.objects.count() == Execution.objects.count()


class TestAnotherServer:
    def test_is_noticed_and_what_is_spent_there_counts_at_once(self, spent, move):
        move()
        fold()
        spend(spent, "7.00", execution=None)

        assert total(Cost, "amount") == Decimal("7.10")
        assert not CostFold.follows_executions()
        told = json.loads(AuditEvent.objects.get(event="database.moved").data)
        assert told["server_before"] != told["server"] == CostFold.objects.get().server

    def test_is_noticed_of_a_database_that_was_only_migrated_on_the_other(self, spent, move):
        CostFold.objects.update(server="")
        move()
        fold()
        spend(spent, "7.00", execution=None)

        assert total(Cost, "amount") == Decimal("7.10")
        assert AuditEvent.objects.filter(event="database.moved").count() == 1

    def test_follows_again_once_sums_are_made_anew(self, spent, move):
        move()
        call_command("rebuild_rollups", verbosity=0)
        agree()
        spend(spent, "7.00", execution=make.execution("failed"))
        fold()

        assert total(CostRollup, "amount") == Decimal("7.10")
        assert CostFold.follows_executions()
        agree()

    def test_has_the_same_trail_and_sends_traces_from_there_on(self, spent, move):
        move()
        call_command("rebuild_rollups", verbosity=0)
        place = TraceExport.objects.get()
        make.execution("succeeded")

        call_command("verify_audit")
        until, _ = closed()
        assert {part.noun for part in ended(place.written_in, place.last_id, until, 100)} >= {"execution"}


def test_the_same_server_is_no_other(spent):
    fold()
    fold()

    assert not AuditEvent.objects.filter(event="database.moved").exists()
    assert CostFold.follows_executions()


def test_whoever_does_not_own_the_tables_makes_no_sums_of_a_moved_database(spent, move):
    move()
    with connection.cursor() as cursor:
        # Any role that may do everything with the rows.
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO pg_monitor; SET ROLE pg_monitor")
    with pytest.raises(CommandError, match="owner of its tables"):
        call_command("rebuild_rollups")
