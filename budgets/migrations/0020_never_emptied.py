"""The ledger is not emptied by one statement either: TRUNCATE passes by the trigger that looks at rows."""

from django.db import migrations

LEDGER = "budgets_ledgerentry"


class Migration(migrations.Migration):
    dependencies = [("budgets", "0019_wider_spent"), ("audit", "0002_append_only")]
    operations = [
        migrations.RunSQL(
            f"CREATE TRIGGER {LEDGER}_never_emptied BEFORE TRUNCATE ON {LEDGER} "
            "FOR EACH STATEMENT EXECUTE FUNCTION append_only()",
            f"DROP TRIGGER {LEDGER}_never_emptied ON {LEDGER}",
        )
    ]
