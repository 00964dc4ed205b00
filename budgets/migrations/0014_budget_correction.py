"""A correction of a cost line counts in the budgets that cover the line: a function beside `budget_spend`."""

from django.db import migrations

# In the windows of now, like everything that is written now. What was counted as unknown is known from its first correction on,
# in the window that counted it. A line in another currency was counted beside the sum, and its correction changes nothing there.
CORRECT = """
CREATE FUNCTION budget_correct(p_unit uuid, p_workflow text, p_agent text, p_requester text, p_release text,
  p_change numeric, p_currency text, p_was_unknown boolean, p_written timestamptz)
RETURNS TABLE (window_id uuid, reached int) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  ids uuid[]; names text[];
BEGIN
  SELECT array_agg(l.id), array_agg(l.budget) INTO ids, names
    FROM budget_locked(p_unit, p_workflow, p_agent, p_requester, p_release) AS l
    WHERE l.measure = 'money' AND l.currency = p_currency;
  UPDATE budgets_budgetwindow AS w SET spent = w.spent + p_change WHERE w.id = ANY (ids);
  IF p_was_unknown THEN
    UPDATE budgets_budgetwindow AS w SET unknown = w.unknown - 1 WHERE w.budget = ANY (names) AND w.unknown > 0
      AND w.starts_at <= p_written AND (w.ends_at IS NULL OR w.ends_at > p_written);
  END IF;
  RETURN QUERY SELECT * FROM budget_told(ids);
END $$
"""
DROP = "DROP FUNCTION budget_correct(uuid, text, text, text, text, numeric, text, boolean, timestamptz)"


class Migration(migrations.Migration):
    dependencies = [("budgets", "0013_budget_of_release")]
    operations = [migrations.RunSQL(CORRECT, DROP)]
