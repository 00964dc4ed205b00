"""The edges of evaluation cases; what a case says is never changed, only what is thought of it."""

from django.db import migrations

from audit.lifecycle import guard_sql

EDGES = ["accepted>dismissed", "candidate>accepted", "candidate>dismissed"]


class Migration(migrations.Migration):
    dependencies = [("approvals", "0031_evaluation_cases")]
    operations = [migrations.RunSQL(*guard_sql("approvals_evaluationcase", EDGES, ["candidate"]))]
