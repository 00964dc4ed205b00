"""The lifecycle with questions and answers: new edges for the database to allow."""

from django.db import migrations

from audit.lifecycle import guard_sql

TABLE = "orchestrator_action"
INITIAL = ["proposed"]
BEFORE = [
    "failed>granted",
    "failed>void",
    "granted>expired",
    "granted>redeemed",
    "granted>void",
    "granted>withdrawn",
    "held>expired",
    "held>granted",
    "held>rejected",
    "held>void",
    "held>withdrawn",
    "proposed>denied",
    "proposed>granted",
    "proposed>held",
    "redeemed>failed",
    "redeemed>succeeded",
    "redeemed>unknown",
    "succeeded>undone",
    "unknown>failed",
    "unknown>granted",
    "unknown>succeeded",
]
ADDED = [
    "held>answered",
    "held>sent_back",
    "sent_back>expired",
    "sent_back>held",
    "sent_back>void",
    "sent_back>withdrawn",
]
OLD, NEW = guard_sql(TABLE, BEFORE, INITIAL), guard_sql(TABLE, sorted([*BEFORE, *ADDED]), INITIAL)


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0004_edits_questions_answers")]
    operations = [
        # In one transaction: there is no moment in which the table has no guard.
        migrations.RunSQL(f"{OLD[1]}; {NEW[0]}", f"{NEW[1]}; {OLD[0]}"),
    ]
