"""The two roles of docs/production.md: with the rights given there the processes can work, and cannot touch evidence."""

import re
from pathlib import Path

import pytest
from django.db import ProgrammingError, connection, transaction

from audit.models import AuditEvent
from orchestrator.models import Action
from tests import make

PRODUCTION = Path(__file__).resolve().parents[2] / "docs/production.md"
# One that every server has, in the place of holdpoint_app. Given back with the transaction.
APPLICATION = "pg_monitor"
# As they stand in the database.
EVIDENCE = ["audit_auditevent", "approvals_decision", "budgets_ledgerentry", "orchestrator_release"]
CHANGES = {
    "changed": "UPDATE {table} SET id = id",
    "deleted": "DELETE FROM {table}",
    "emptied": "TRUNCATE {table} CASCADE",
}
SHADOW = "CREATE TEMP TABLE audit_auditevent (LIKE public.audit_auditevent); UPDATE auth_user SET is_superuser = true"


@pytest.fixture
def waiting(db):
    """A request, and who will sign it. People are made by others."""
    make.policy("one-signs", required=1, condition="")
    return make.request(), make.person("grace", "view", "review", of=make.unit())


@pytest.fixture
def as_application(waiting):
    """What the page tells the owner to type, and then nobody but the application's role."""
    section = PRODUCTION.read_text().partition("## Two database roles")[2]
    typed = re.search(r"```sql\n(.*?)```", section, re.DOTALL)[1].replace("holdpoint_app", APPLICATION)
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute(typed.replace("DATABASE holdpoint ", f"DATABASE {name} "))
        cursor.execute(f"SET LOCAL ROLE {APPLICATION}")


def refused(sql):
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)


class TestTheApplication:
    def test_can_work(self, as_application, waiting):
        approval = make.approved(*waiting)
        done = make.carried_out(Action.objects.get(pk=approval.subject_id))

        assert AuditEvent.objects.filter(event="action.succeeded", object_id=done.pk).exists()

    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
    @pytest.mark.parametrize("table", EVIDENCE)
    def test_cannot_touch_evidence(self, as_application, table, change):
        refused(change.format(table=table))

    def test_cannot_put_a_table_of_its_own_in_front_of_the_trail(self, as_application):
        """What the triggers tell of people would be written there."""
        refused(SHADOW)

    def test_cannot_take_the_triggers_away(self, as_application):
        with pytest.raises(ProgrammingError, match="must be owner"), connection.cursor() as cursor:
            cursor.execute("ALTER TABLE auth_user DISABLE TRIGGER ALL")
