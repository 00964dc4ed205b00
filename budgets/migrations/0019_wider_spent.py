"""As 0018: what a window has spent. A trigger is told of this column, and keeps its type for as long as it is there."""

from django.db import migrations, models

WITHOUT = "DROP TRIGGER budgets_budgetwindow_day ON budgets_budgetwindow"
WITH = """
CREATE TRIGGER budgets_budgetwindow_day AFTER UPDATE OF spent ON budgets_budgetwindow
FOR EACH ROW WHEN (NEW.spent <> OLD.spent) EXECUTE FUNCTION budget_day()
"""


class Migration(migrations.Migration):
    dependencies = [("budgets", "0018_wider_sums")]

    operations = [
        migrations.RunSQL(WITHOUT, WITH),
        migrations.AlterField(
            "budgetwindow", "spent", models.DecimalField(max_digits=30, decimal_places=10, default=0)
        ),
        migrations.RunSQL(WITH, WITHOUT),
    ]
