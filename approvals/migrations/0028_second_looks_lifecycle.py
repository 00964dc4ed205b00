"""The edges of second looks, and seeds that nobody changes once they are committed to."""

from django.db import migrations

from audit.lifecycle import guard_sql

KEEP = (
    "CREATE TRIGGER approvals_drawseed_append_only BEFORE UPDATE OR DELETE ON approvals_drawseed "
    "FOR EACH ROW EXECUTE FUNCTION append_only()",
    "DROP TRIGGER approvals_drawseed_append_only ON approvals_drawseed",
)
EDGES = ["open>agreed", "open>disagreed", "open>expired"]


class Migration(migrations.Migration):
    dependencies = [("approvals", "0027_second_looks"), ("audit", "0002_append_only")]
    operations = [
        migrations.RunSQL(*guard_sql("approvals_secondlook", EDGES, ["open"])),
        migrations.RunSQL(*KEEP),
    ]
