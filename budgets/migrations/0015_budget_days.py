"""What a window spent on each of its days: a new table, written by a trigger, so that the days always come to the window."""

import audit.ids
import django.db.models.deletion
from django.db import migrations, models

# A day is one of the time zone the windows begin in. What is spent late in a window that has ended counts on its last day.
# On the way in, what the windows have counted so far stands on the day of the migration: nothing says on which before.
DAY = """
CREATE FUNCTION budget_day() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  zone text := COALESCE((SELECT time_zone FROM budgets_businessunit WHERE id = NEW.unit_id), 'UTC');
BEGIN
  INSERT INTO budgets_budgetday AS d (id, window_id, day, spent) VALUES (budget_new_id(), NEW.id,
    LEAST((clock_timestamp() AT TIME ZONE zone)::date, (NEW.ends_at AT TIME ZONE zone)::date - 1), NEW.spent - OLD.spent)
  ON CONFLICT ON CONSTRAINT one_day_of_a_budget_window DO UPDATE SET spent = d.spent + EXCLUDED.spent;
  RETURN NULL;
END $$;
CREATE TRIGGER budgets_budgetwindow_day AFTER UPDATE OF spent ON budgets_budgetwindow
FOR EACH ROW WHEN (NEW.spent <> OLD.spent) EXECUTE FUNCTION budget_day();
INSERT INTO budgets_budgetday (id, window_id, day, spent)
SELECT budget_new_id(), w.id, LEAST((clock_timestamp() AT TIME ZONE z.zone)::date, (w.ends_at AT TIME ZONE z.zone)::date - 1), w.spent
FROM budgets_budgetwindow AS w CROSS JOIN LATERAL (SELECT COALESCE(
  (SELECT time_zone FROM budgets_businessunit AS u WHERE u.id = w.unit_id), 'UTC') AS zone) AS z WHERE w.spent <> 0
"""
NO_DAY = "DROP TRIGGER budgets_budgetwindow_day ON budgets_budgetwindow; DROP FUNCTION budget_day()"


class Migration(migrations.Migration):
    dependencies = [("budgets", "0014_budget_correction")]
    operations = [
        migrations.CreateModel(
            name="BudgetDay",
            fields=[
                ("id", models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("day", models.DateField()),
                ("spent", models.DecimalField(decimal_places=10, max_digits=20)),
                (
                    "window",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="days",
                        to="budgets.budgetwindow",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("window", "day"), name="one_day_of_a_budget_window")],
            },
        ),
        migrations.RunSQL(DAY, NO_DAY),
    ]  # fmt: skip
