"""The database itself refuses what the lifecycles do not list, and every change of what was recorded."""

from contextlib import contextmanager
from itertools import permutations

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.db import DatabaseError, connection, transaction

from approvals import operations as approvals
from approvals.models import Bypass, EscalationLevel
from approvals.operations import bulk, emergencies, stops
from audit.lifecycle import Governed, database_now
from budgets.models import Budget, BudgetException, Price
from orchestrator.models import Attempt, DeadLetter, Limit, ServiceLevel, Step
from orchestrator.operations import bulk_letters, test_items
from tests import make as more
from tests import worlds as make
from tests.engine.driving import drive
from tests.signing import voice

GOVERNED = [model for model in apps.get_models() if issubclass(model, Governed)]


class Undone(Exception):
    """Ends a transaction whose work is to be forgotten."""


@pytest.fixture
def rows(world, governed, provider, settings):
    """One row of every governed table."""
    settings.SECOND_LOOK_PERCENT = 100
    governed("  - send: {tool: send_a, ref: R-1, retry: {max_attempts: 1, backoff: 1s}}\n")
    provider.plan("down")
    drive(make.start(world, "outside"))
    make.request(world)
    letter = DeadLetter.objects.get()
    bulk_letters.preview(act="redrive", group_id=letter.group_id, by=world.ada)
    policy = apps.get_model("approvals", "ApprovalPolicy")(name="p", condition="true", reason="r", required=1)
    make.draft(policy, by=make.SETUP)
    for name in ("ReviewerGroup", "BusinessCalendar", "LinkedAccounts"):
        make.draft(apps.get_model("approvals", name)(name="p"), by=make.SETUP)
    make.draft(Bypass(name="b", tool="wire", tier="customer_facing", reason="half of us are ill"), by=make.SETUP)
    make.draft(EscalationLevel(name="head", after_percent=50, person_id=world.grace.user_id), by=make.SETUP)
    price = {"subject": "m", "currency": "EUR", "input": 1, "output": 1, "valid_from": database_now()}
    make.draft(Price(name="p", **price), by=make.SETUP)
    for drafted in (
        Budget(name="b", measure="runs", limit=9, window="day"),
        BudgetException(name="e", budget="b", execution_id=letter.execution_id, why="closing"),
        ServiceLevel(name="s", figure="success", low="0.9", high="1"),
    ):
        make.draft(drafted, by=make.SETUP)
    limit = Limit(name="l", per_minute=1_000)
    make.draft(limit, by=make.SETUP)
    make.activate(limit, by=make.SETUP)
    bulk.preview(act="claim", requests=[make.request(world)], by=world.grace)
    alone = make.request(world, tool="wire")
    emergencies.break_glass(
        request_id=alone.pk, by=world.grace, voice=voice(alone, by=world.grace), reason="nobody else answers in time"
    )
    looked_at, refused_one = make.request(world), make.request(world)
    approvals.approve(request_id=looked_at.pk, by=world.grace, voice=voice(looked_at))
    approvals.reject(request_id=refused_one.pk, by=world.grace, voice=voice(refused_one, "wrong_amount"))
    write_test_item(world)
    more.alert(of=world.unit)
    unit = stops.Target(scope="unit", unit_id=world.unit.pk)
    stops.engage(target=unit, by=world.ada, reason="the books do not agree")


def write_test_item(world):
    """One that asks what a call of today asked, with another amount."""
    more.policy("pays", tool="pay", condition="", required=1, test_items=True)
    boss = more.person("boss", "view", "review", of=world.unit, staff=True)
    boss.user_permissions.add(Permission.objects.get(codename="change_approvalpolicy"))
    source = make.request(world).subject_id
    what = {"arguments": {"amount": 999_000}, "expected": "bad", "hint": "The amount is ten times the invoice's"}
    test_items.write(action_id=source, by=more.actor(boss), **what)


def refused(row, before, after):
    """Whether the database refuses this edge, tried in a transaction that leaves nothing behind."""
    table = row._meta.db_table
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")  # no trigger asks where a row comes from
            cursor.execute(f"UPDATE {table} SET status = %s WHERE id = %s", [before, row.pk])
            cursor.execute("SET LOCAL session_replication_role = origin")
            cursor.execute(f"UPDATE {table} SET status = %s WHERE id = %s", [after, row.pk])
            raise Undone
    except Undone:
        return False
    except DatabaseError as error:
        if error.__cause__.sqlstate != "HP003":
            raise
        return True


@contextmanager
def only_the_edges_on_trial(table):
    """Other constraints tie columns to statuses; without them, until this ends, a bare status can be tried."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'", [table])
            for (name,) in cursor.fetchall():
                cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
            yield
            raise Undone
    except Undone:
        pass


def edges_got_wrong(model):
    row = model._default_manager.first()
    edges = model.lifecycle.edges
    with only_the_edges_on_trial(row._meta.db_table):
        return [
            (before, after)
            for before, after in permutations(edges, 2)
            if refused(row, before, after) != (after not in edges[before])
        ]


class TestTheDatabase:
    def test_knows_every_edge_and_no_other(self, rows):
        assert {model: wrong for model in GOVERNED if (wrong := edges_got_wrong(model))} == {}

    @pytest.mark.parametrize("model", [Step, Attempt, DeadLetter])
    def test_lets_no_row_be_born_in_the_middle_of_its_life(self, rows, model):
        row = model.objects.first()
        others = set(model.lifecycle.edges) - model.lifecycle.initial
        with connection.cursor() as cursor:
            for status in others:
                with pytest.raises(DatabaseError) as refusal, transaction.atomic():
                    cursor.execute(
                        f"INSERT INTO {row._meta.db_table} SELECT (t.r).* FROM (SELECT jsonb_populate_record(s, "
                        f"jsonb_build_object('id', gen_random_uuid(), 'status', %s::text)) AS r "
                        f"FROM {row._meta.db_table} s LIMIT 1) AS t",
                        [status],
                    )
                assert refusal.value.__cause__.sqlstate == "HP003"

    @pytest.mark.parametrize("table", ["audit_auditevent", "orchestrator_release"])
    def test_changes_and_removes_nothing_that_was_recorded(self, rows, table):
        with connection.cursor() as cursor:
            for statement in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}"):
                with pytest.raises(DatabaseError) as refusal, transaction.atomic():
                    cursor.execute(statement)
                assert refusal.value.__cause__.sqlstate == "HP002"


class TestAPolicy:
    def test_is_not_activated_by_anybody_who_ever_edited_it_by_sql_either(self, rows, world):
        policy = apps.get_model("approvals", "ApprovalPolicy").objects.get(name="p")
        sql = "UPDATE approvals_approvalpolicy SET editors = %s, activated_by_id = %s WHERE id = %s"
        editors = [world.ada.user_id, world.grace.user_id]

        with pytest.raises(DatabaseError, match="never_edited_by_its_activator"), connection.cursor() as cursor:
            cursor.execute(sql, [editors, world.ada.user_id, policy.pk])

    def test_does_not_escalate_to_nobody(self, rows):
        policy = apps.get_model("approvals", "ApprovalPolicy").objects.get(name="p")
        sql = "UPDATE approvals_approvalpolicy SET on_timeout = 'escalate' WHERE id = %s"

        with pytest.raises(DatabaseError, match="policy_escalates_iff_to_a_group"), connection.cursor() as cursor:
            cursor.execute(sql, [policy.pk])
