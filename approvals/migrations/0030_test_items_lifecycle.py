"""The edges of test items; and what was promised of requests is checked of those there are, without holding anybody up."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations

from audit.lifecycle import guard_sql

EDGES = ["waiting>caught", "waiting>lapsed", "waiting>missed", "waiting>objected", "waiting>passed"]


class Migration(migrations.Migration):
    dependencies = [("approvals", "0029_test_items")]
    operations = [
        migrations.RunSQL(*guard_sql("approvals_seededitem", EDGES, ["waiting"])),
        ValidateConstraint(model_name="approvalrequest", name="test_request_opens_nothing"),
    ]
