"""The migrations say what the models say."""

import re
import threading

import pytest
from django.core.management import call_command
from django.db import connection, migrations, models, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from approvals.models import ApprovalPolicy, ApprovalRequest
from audit.definitions import draft, edit
from audit.lifecycle import run
from audit.models import AuditEvent
from budgets.models import Budget, BudgetDay, BudgetWindow
from budgets.operations import Place, charge
from budgets.pricing import Usage
from budgets.reserving import anything_is_budgeted
from orchestrator.models import Action, DeadLetter
from tests import kept, make, worlds
from tests.db import FOLLOWED_FROM_HERE_ON

pytestmark = pytest.mark.timeout(900)  # all the way back and forth, on whatever machine


@pytest.fixture(autouse=True)
def _leaves_the_newest_schema(django_db_blocker):
    """Whatever failed on the way, the next test finds the tables as they should be, and sums that follow what is written:
    migrated over what ran already, none is kept until the command that makes them has run."""
    yield
    kept.forget()
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", verbosity=0)
        cursor.execute(FOLLOWED_FROM_HERE_ON)


@pytest.mark.django_db
class TestMigrations:
    def test_are_complete(self) -> None:
        call_command("makemigrations", check=True, dry_run=True)


@pytest.mark.django_db(transaction=True)
class TestTheWayBack:
    """One trip for all of them, because a trip is long: back from stop to stop, and forth with what was written there."""

    @pytest.mark.slow
    def test_is_open_and_the_way_forth_writes_what_would_have_been_written(self) -> None:
        policies, letters = Policies(), Letters()
        requests = Requests()
        budgets = Budgets()

        call_command("migrate", "budgets", "0014", verbosity=0)
        budgets.spend(12)
        call_command("migrate", "budgets", "0011", verbosity=0)
        budgets.are_none_of_a_release()
        call_command("migrate", "orchestrator", "0021", verbosity=0)
        requests.have_the_tier_of_their_tool()
        call_command("migrate", "orchestrator", "0017", verbosity=0)
        call_command("migrate", "approvals", "0002", verbosity=0)
        call_command("migrate", verbosity=0)

        policies.name_every_editor()
        letters.are_in_the_groups_they_would_have_been_written_with()
        requests.have_the_tier_of_the_request()
        budgets.have_days_that_begin_with_what_the_windows_had_spent()


# Before there was anybody to go on beside them.
TOOK_SOMETHING = {
    "approvals.0012_delegation: decision.for_person_name without db_default",
    "approvals.0022_one_ladder_and_every_editor: RemoveField",
}


@pytest.mark.django_db
class TestTheVersionBefore:
    def test_goes_on_beside_every_migration(self):
        """It neither fills a column that it does not know, nor does without what it knows."""
        disk = MigrationLoader(None).disk_migrations
        ours = [found for (app, _), found in disk.items() if app in {"audit", "budgets", "approvals", "orchestrator"}]

        found = {f"{migration}: {what}" for migration in ours for what in taken(migration)}

        assert found == TOOK_SOMETHING

    @pytest.mark.parametrize(
        ("operation", "what"),
        [
            (migrations.AddField("step", "weight", models.IntegerField(default=0)), ["step.weight without db_default"]),
            (migrations.AddField("step", "weight", models.IntegerField(default=0, db_default=0)), []),
            (migrations.AddField("step", "weight", models.IntegerField(null=True)), []),
            (migrations.RenameField("step", "why", "reason"), ["RenameField"]),
            (migrations.RunSQL("DROP VIEW IF EXISTS approvals_stop_reach"), ["DROP VIEW"]),
            (migrations.RunSQL("DROP VIEW one; CREATE VIEW one AS SELECT 1"), []),
        ],
    )  # fmt: skip
    def test_is_looked_after(self, operation, what):
        migration = migrations.Migration("0099_new", "orchestrator")
        migration.operations = [operation]

        assert list(taken(migration)) == what


REMOVES = (migrations.RemoveField, migrations.RenameField, migrations.DeleteModel, migrations.RenameModel)
DROPS = re.compile(r"DROP (TABLE|VIEW|FUNCTION|COLUMN) (?:IF EXISTS )?(\w+)")


def taken(migration):
    """What the code of before misses after this migration."""
    made = {one.name_lower for one in migration.operations if isinstance(one, migrations.CreateModel)}
    for operation in migration.operations:
        for one in getattr(operation, "database_operations", [operation]):
            yield from _taken(one, made)


def _taken(one, made):
    if isinstance(one, REMOVES):
        yield type(one).__name__
    elif isinstance(one, migrations.AddField) and one.model_name_lower not in made:
        if not (one.field.null or one.field.has_db_default() or one.field.generated):
            yield f"{one.model_name}.{one.name} without db_default"
    elif isinstance(one, migrations.RunSQL) and isinstance(one.sql, str):
        yield from {f"DROP {kind}" for kind, name in DROPS.findall(one.sql) if not _made(kind, name, one.sql)}


def _made(kind, name, text):
    return re.search(rf"CREATE (OR REPLACE )?{kind} {name}\b", text)


@pytest.mark.django_db(transaction=True)
class TestBesideOthers:
    @pytest.fixture
    def one_to_do(self):
        call_command("migrate", "approvals", "0047", verbosity=0)

    @pytest.fixture
    def reader(self):
        """Somebody who reads a table and does not end, as a dump does; until told to."""
        reads, told = threading.Event(), threading.Event()

        def read():
            with transaction.atomic():
                ApprovalRequest.objects.count()
                reads.set()
                told.wait(60)
            connection.close()

        thread = threading.Thread(target=read)
        thread.start()
        reads.wait()
        yield told
        told.set()
        thread.join()

    @pytest.mark.slow
    def test_nobody_waits_for_long_and_it_is_done_in_the_end(self, one_to_do, reader, capfd):
        raised = []

        def migrate():
            try:
                call_command("migrate", verbosity=0)
            except Exception as error:
                raised.append(error)
            connection.close()

        migration = threading.Thread(target=migrate)
        migration.start()
        worlds.wait_until(_somebody_waits, seconds=60)

        ApprovalRequest.objects.count()  # behind the one that waits

        assert not reader.is_set()
        reader.set()
        migration.join()
        assert raised == []
        assert ApprovalRequest.objects.filter(calendar_id=None).count() == 0
        assert "nothing was done, and it tries again" in capfd.readouterr().err


def _somebody_waits():
    return run("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)", [])[0][0]


class Policies:
    def __init__(self) -> None:
        self.ann, self.bob = (make.person(name, "view") for name in ("ann", "bob"))
        self.row = ApprovalPolicy(name="old", reason="old")
        draft(self.row, by=make.actor(self.ann))
        self.row.reason = "older"
        edit(self.row, by=make.actor(self.bob), changed=["reason"])
        self.in_force = make.policy()

    def name_every_editor(self) -> None:
        self.row.refresh_from_db()
        self.in_force.refresh_from_db()
        assert (self.row.editors, self.in_force.editors) == (sorted([self.ann.pk, self.bob.pk]), [])


class Letters:
    def __init__(self) -> None:
        words = ("Order 17 was refused", "Order 18 was refused", "Another thing")
        self.letters = [make.letter(said) for said in words]

    def are_in_the_groups_they_would_have_been_written_with(self) -> None:
        groups = [DeadLetter.objects.get(pk=letter.pk).group for letter in self.letters]
        assert groups[0] == groups[1] != groups[2]
        written = (groups[0].pattern, groups[0].status, groups[0].owner)
        assert written == ("order <number> was refused", "new", "agent_owner")
        assert AuditEvent.objects.filter(object_id=groups[0].pk, event="failure_group.new").count() == 1


class Requests:
    def __init__(self) -> None:
        self.raised, self.plain = (make.request(amount).subject_id for amount in ("4860.00", "9.00"))

    def have_the_tier_of_their_tool(self) -> None:
        assert self._tiers() == ("customer_facing", "customer_facing")

    def have_the_tier_of_the_request(self) -> None:
        assert self._tiers() == ("financial", "customer_facing")

    def _tiers(self) -> tuple[str, str]:
        tiers = dict(Action.objects.values_list("pk", "tier"))
        return tiers[self.raised], tiers[self.plain]


class Budgets:
    def __init__(self) -> None:
        self.unit = make.unit()
        for name, release in (("pilot", "a" * 64), ("all", "")):
            make._activated(Budget(name=name, release=release, measure="runs", limit=1, window="always"))
        make._activated(Budget(name="tokens", unit_id=self.unit.pk, measure="tokens", limit=100, window="always"))
        anything_is_budgeted.again()
        self.spent = 0
        self.spend(30)

    def spend(self, tokens: int) -> None:
        charge(Usage(model="m", input_tokens=tokens), Place(unit_id=self.unit.pk))
        self.spent += tokens

    def are_none_of_a_release(self) -> None:
        assert run("SELECT budget FROM budget_covering(NULL, 'closing', '', '')", []) == [("all",)]

    def have_days_that_begin_with_what_the_windows_had_spent(self) -> None:
        self.spend(5)
        assert Budget.objects.get(name="pilot").workflow.startswith("only release aaaa")
        days = BudgetDay.objects.filter(window__budget="tokens").values_list("spent", flat=True)
        assert BudgetWindow.objects.get(budget="tokens").spent == sum(days) == self.spent == 47
