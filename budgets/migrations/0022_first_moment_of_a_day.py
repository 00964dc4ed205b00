"""Where clocks change at midnight, a day begins at its first moment: such a window ended an hour late, or began an hour ahead.

Two of them overlapped, so a step waited for the wrong one and the page showed either. The function that finds the budgets of a
place keeps its name and its columns: processes of the version before go on while this is rolled out.
"""

from importlib import import_module

from django.db import migrations

before = import_module("budgets.migrations.0013_budget_of_release")
COVERING = before.of_release(before.FUNCTIONS.COVERING[0]).replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")

# PostgreSQL takes a time that clocks show twice for the second one, and one that they skip for the moment they skip to.
MIDNIGHT = (
    """
CREATE FUNCTION budget_midnight(p_day timestamp, p_zone text) RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN (at - interval '1 hour') AT TIME ZONE p_zone = p_day THEN at - interval '1 hour' ELSE at END
  FROM (SELECT p_day AT TIME ZONE p_zone AS at) AS said
$$""",
    "DROP FUNCTION budget_midnight(timestamp, text)",
)
WINDOW_AT = (
    """
CREATE FUNCTION budget_window_at(p_window text, p_zone text, p_at timestamptz)
RETURNS TABLE (starts_at timestamptz, ends_at timestamptz) LANGUAGE sql STABLE AS $$
  SELECT budget_midnight(day, p_zone), budget_midnight(day + CASE p_window WHEN 'quarter' THEN interval '3 months'
    ELSE ('1 ' || p_window)::interval END, p_zone)
  FROM (SELECT date_trunc(p_window, p_at AT TIME ZONE p_zone) AS day) AS began WHERE p_window <> 'always'
  UNION ALL SELECT to_timestamp(0), NULL WHERE p_window = 'always'
$$""",
    "DROP FUNCTION budget_window_at(text, text, timestamptz)",
)
FROM_FIRST_MOMENTS = """
CREATE OR REPLACE FUNCTION budget_covering(p_unit uuid, p_workflow text, p_agent text, p_requester text,
  p_release text DEFAULT '')
RETURNS TABLE (budget text, unit_id uuid, measure text, currency text, starts_at timestamptz, ends_at timestamptz,
  most numeric, is_hard boolean, assumed numeric) LANGUAGE sql VOLATILE AS $$
  WITH RECURSIVE up AS (
    SELECT u.id, u.parent_id FROM budgets_businessunit AS u WHERE u.id = p_unit
    UNION SELECT u.id, u.parent_id FROM budgets_businessunit AS u JOIN up ON u.id = up.parent_id
  ), found AS (
    SELECT b.*, COALESCE(u.time_zone, 'UTC') AS zone FROM budgets_budget AS b
    LEFT JOIN budgets_businessunit AS u ON u.id = b.unit_id
    WHERE b.status = 'active' AND (b.unit_id IS NULL OR b.unit_id IN (SELECT id FROM up))
      AND b.workflow IN ('', p_workflow) AND b.agent IN ('', p_agent) AND b.requester IN ('', p_requester)
      AND b.release IN ('', p_release)
  )
  SELECT f.name, f.unit_id, f.measure, f.currency, w.starts_at, w.ends_at, f."limit", f.is_hard,
    COALESCE(f.assumed, f."limit" / 100)
  FROM found AS f CROSS JOIN LATERAL budget_window_at(f."window", f.zone, clock_timestamp()) AS w ORDER BY f.name
$$"""


class Migration(migrations.Migration):
    dependencies = [("budgets", "0021_people")]
    operations = [
        migrations.RunSQL(*MIDNIGHT),
        migrations.RunSQL(*WINDOW_AT),
        migrations.RunSQL(FROM_FIRST_MOMENTS, COVERING),
    ]
