"""The database refuses every edge that the lifecycle tables do not list; an operation's set and a patch never change."""

from django.db import migrations

from audit.lifecycle import guard_sql

LETTER = (
    "orchestrator_deadletter",
    [
        "open>discarded",
        "open>ended",
        "open>redriven",
        "redriven>discarded",
        "redriven>ended",
        "redriven>fixed",
        "redriven>open",
    ],
    ["open"],
)
NEW = [
    (
        "orchestrator_failuregroup",
        [
            "escalating>fixed",
            "escalating>merged",
            "escalating>ongoing",
            "escalating>parked",
            "fixed>merged",
            "fixed>ongoing",
            "fixed>regressed",
            "merged>ongoing",
            "new>escalating",
            "new>fixed",
            "new>merged",
            "new>ongoing",
            "new>parked",
            "ongoing>escalating",
            "ongoing>fixed",
            "ongoing>merged",
            "ongoing>parked",
            "parked>fixed",
            "parked>merged",
            "parked>ongoing",
            "regressed>escalating",
            "regressed>fixed",
            "regressed>merged",
            "regressed>ongoing",
            "regressed>parked",
        ],
        ["new"],
    ),
    (
        "orchestrator_operation",
        [
            "halted>cancelled",
            "halted>running",
            "paused>cancelled",
            "paused>running",
            "previewed>cancelled",
            "previewed>running",
            "previewed>second_person",
            "running>cancelled",
            "running>done",
            "running>halted",
            "running>paused",
            "second_person>cancelled",
            "second_person>running",
        ],
        ["previewed"],
    ),
    (
        "orchestrator_operationitem",
        [
            "under_way>failed",
            "under_way>fixed",
            "waiting>discarded",
            "waiting>not_tried",
            "waiting>refused",
            "waiting>under_way",
        ],
        ["left_out", "waiting"],
    ),
]
FROZEN = """
CREATE FUNCTION orchestrator_operation_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'an operation keeps every letter it was confirmed for';
  END IF;
  IF NOT EXISTS (SELECT 1 FROM orchestrator_operation AS o WHERE o.id = NEW.operation_id AND o.status = 'previewed') THEN
    RAISE EXCEPTION 'the set of an operation is frozen with its preview';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER orchestrator_operationitem_frozen BEFORE INSERT OR DELETE ON orchestrator_operationitem
FOR EACH ROW EXECUTE FUNCTION orchestrator_operation_frozen();
"""
NOT_FROZEN = """
DROP TRIGGER orchestrator_operationitem_frozen ON orchestrator_operationitem;
DROP FUNCTION orchestrator_operation_frozen();
"""


def letters():
    """In one transaction: there is no moment in which the table has no guard. The way back keeps the wider list."""
    make, drop = guard_sql(*LETTER)
    return migrations.RunSQL(f"{drop}; {make}", migrations.RunSQL.noop)


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0018_failure_groups"), ("audit", "0002_append_only")]
    operations = [
        letters(),
        *(migrations.RunSQL(*guard_sql(*row)) for row in NEW),
        migrations.RunSQL(FROZEN, NOT_FROZEN),
        migrations.RunSQL(
            "CREATE TRIGGER orchestrator_steppatch_append_only BEFORE UPDATE OR DELETE ON orchestrator_steppatch "
            "FOR EACH ROW EXECUTE FUNCTION append_only()",
            "DROP TRIGGER orchestrator_steppatch_append_only ON orchestrator_steppatch",
        ),
    ]
