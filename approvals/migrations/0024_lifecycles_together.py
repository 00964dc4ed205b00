"""The whole list of edges of requests, in one place: questions, answers and stops together."""

from django.db import migrations

from audit.lifecycle import guard_sql

GUARDS = {
    "approvals_approvalrequest": (
        [
            "approved>expired",
            "approved>used",
            "approved>void",
            "approved>withdrawn",
            "pending>answered",
            "pending>approved",
            "pending>expired",
            "pending>rejected",
            "pending>sent_back",
            "pending>void",
            "pending>withdrawn",
            "sent_back>expired",
            "sent_back>pending",
            "sent_back>void",
            "sent_back>withdrawn",
        ],
        ["pending"],
    ),
}


def guard(table):
    """In one transaction: there is no moment in which the table has no guard. The way back keeps the wider list."""
    make, drop = guard_sql(table, *GUARDS[table])
    return migrations.RunSQL(f"{drop}; {make}", migrations.RunSQL.noop)


class Migration(migrations.Migration):
    dependencies = [("approvals", "0023_indexes_of_what_is_undecided")]
    operations = [guard(table) for table in GUARDS]
