"""Each line knows the transaction that wrote it, so that roll-ups follow the ledger by what is closed, never by a clock.

The default is the same for every row that is there already, so the table is not rewritten. The index is built while the
site runs, so outside a transaction.
"""

from django.db import migrations

COLUMN = """
ALTER TABLE budgets_ledgerentry ADD COLUMN written_in xid8 NOT NULL DEFAULT pg_current_xact_id()
"""
NO_COLUMN = "ALTER TABLE budgets_ledgerentry DROP COLUMN written_in"
INDEX = "CREATE INDEX CONCURRENTLY IF NOT EXISTS ledger_written_in ON budgets_ledgerentry (written_in)"
NO_INDEX = "DROP INDEX CONCURRENTLY IF EXISTS ledger_written_in"


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("budgets", "0006_ledger_span")]
    operations = [migrations.RunSQL(COLUMN, NO_COLUMN), migrations.RunSQL(INDEX, NO_INDEX)]
