"""Each event knows the transaction that wrote it, so that whoever follows the trail goes by what is closed, never by a clock.

The default is the same for every row that is there already, so the table is not rewritten. The trail only grows at its end,
so a BRIN index finds the last transactions, and costs the hot path next to nothing. It is built while the site runs.
"""

from django.db import migrations

COLUMN = """
ALTER TABLE audit_auditevent ADD COLUMN written_in bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint)
"""
NO_COLUMN = "ALTER TABLE audit_auditevent DROP COLUMN written_in"
INDEX = """
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_event_written_in ON audit_auditevent
USING brin (written_in) WITH (pages_per_range = 32, autosummarize = on)
"""
NO_INDEX = "DROP INDEX CONCURRENTLY IF EXISTS audit_event_written_in"


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("audit", "0003_spans_from_outside")]
    operations = [migrations.RunSQL(COLUMN, NO_COLUMN), migrations.RunSQL(INDEX, NO_INDEX)]
