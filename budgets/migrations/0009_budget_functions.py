"""Room in budgets is taken, used and given back by these functions, and a trigger refuses what would go past a limit.

Each is one call of the client's. They lock windows in one order, by the budget's name, so that nobody waits in a circle.
"""

from django.db import migrations

from audit.lifecycle import guard_sql

GUARD = guard_sql("budgets_budget", ["active>retired", "draft>active", "draft>retired"], ["draft"])

NEW_ID = (
    """
CREATE FUNCTION budget_new_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
  SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING
    substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1),
    'hex')::uuid
$$""",
    "DROP FUNCTION budget_new_id()",
)

# The budgets in force that cover a place, each with its window of this moment.
COVERING = (
    """
CREATE FUNCTION budget_covering(p_unit uuid, p_workflow text, p_agent text, p_requester text)
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
  ), begun AS (
    SELECT f.*, CASE f."window" WHEN 'always' THEN to_timestamp(0)
      ELSE date_trunc(f."window", clock_timestamp(), f.zone) END AS begins FROM found AS f
  )
  SELECT name, unit_id, measure, currency, begins, CASE "window" WHEN 'always' THEN NULL ELSE
    ((begins AT TIME ZONE zone) + CASE "window" WHEN 'quarter' THEN interval '3 months'
      ELSE ('1 ' || "window")::interval END) AT TIME ZONE zone END,
    "limit", is_hard, COALESCE(assumed, "limit" / 100) FROM begun ORDER BY name
$$""",
    "DROP FUNCTION budget_covering(uuid, text, text, text)",
)

# The same, with the rows of their windows, made where there is none yet, and locked until the transaction ends.
LOCKED = (
    """
CREATE FUNCTION budget_locked(p_unit uuid, p_workflow text, p_agent text, p_requester text)
RETURNS TABLE (id uuid, budget text, measure text, currency text, most numeric, is_hard boolean, assumed numeric)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO budgets_budgetwindow AS w (id, budget, unit_id, measure, currency, starts_at, ends_at, "limit", is_hard,
    spent, reserved, unknown, told)
  SELECT budget_new_id(), c.budget, c.unit_id, c.measure, c.currency, c.starts_at, c.ends_at, c.most, c.is_hard, 0, 0, 0, 0
  FROM budget_covering(p_unit, p_workflow, p_agent, p_requester) AS c
  WHERE NOT EXISTS (SELECT 1 FROM budgets_budgetwindow AS x WHERE x.budget = c.budget AND x.starts_at = c.starts_at)
  ORDER BY c.budget ON CONFLICT DO NOTHING;
  RETURN QUERY SELECT w.id, w.budget::text, w.measure::text, w.currency::text, c.most, c.is_hard, c.assumed
  FROM budget_covering(p_unit, p_workflow, p_agent, p_requester) AS c
  JOIN budgets_budgetwindow AS w ON w.budget = c.budget AND w.starts_at = c.starts_at
  ORDER BY w.budget FOR NO KEY UPDATE OF w;
END $$""",
    "DROP FUNCTION budget_locked(uuid, text, text, text)",
)

# Takes room in every budget that covers the place, or in none: then it answers the one that has too little.
RESERVE = (
    """
CREATE FUNCTION budget_reserve(p_unit uuid, p_workflow text, p_agent text, p_requester text, p_holder uuid,
  p_execution uuid, p_money numeric, p_currency text, p_tokens numeric, p_runs numeric, p_assume boolean)
RETURNS TABLE (window_id uuid, needed numeric) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  ids uuid[]; amounts numeric[]; mosts numeric[]; hards boolean[];
BEGIN
  SELECT array_agg(x.id ORDER BY x.budget), array_agg(x.amount ORDER BY x.budget), array_agg(x.most ORDER BY x.budget),
    array_agg(x.is_hard ORDER BY x.budget) INTO ids, amounts, mosts, hards
  FROM (SELECT l.*, CASE l.measure WHEN 'runs' THEN p_runs
    WHEN 'tokens' THEN COALESCE(p_tokens, CASE WHEN p_assume THEN l.assumed ELSE 0 END)
    ELSE COALESCE(CASE WHEN l.currency = p_currency THEN p_money END, CASE WHEN p_assume OR p_money IS NOT NULL
      THEN l.assumed ELSE 0 END) END AS amount
    FROM budget_locked(p_unit, p_workflow, p_agent, p_requester) AS l) AS x WHERE x.amount > 0;
  IF ids IS NULL THEN
    RETURN;
  END IF;
  RETURN QUERY SELECT w.id, t.amount FROM unnest(ids, amounts, mosts, hards) AS t (id, amount, most, hard)
    JOIN budgets_budgetwindow AS w ON w.id = t.id WHERE t.hard AND w.spent + w.reserved + t.amount > t.most
    ORDER BY w.budget LIMIT 1;
  IF FOUND THEN
    RETURN;
  END IF;
  UPDATE budgets_budgetwindow AS w SET reserved = w.reserved + t.amount, "limit" = t.most, is_hard = t.hard
    FROM unnest(ids, amounts, mosts, hards) AS t (id, amount, most, hard) WHERE w.id = t.id;
  INSERT INTO budgets_reservation AS r (id, window_id, holder, unit_id, execution_id, amount)
    SELECT budget_new_id(), t.id, p_holder, p_unit, p_execution, t.amount FROM unnest(ids, amounts) AS t (id, amount)
    ON CONFLICT ON CONSTRAINT one_reservation_of_a_holder_per_window DO UPDATE SET amount = r.amount + EXCLUDED.amount;
END $$""",
    "DROP FUNCTION budget_reserve(uuid, text, text, text, uuid, uuid, numeric, text, numeric, numeric, boolean)",
)

# The thresholds these windows have reached since somebody was last told, each once.
TOLD = (
    """
CREATE FUNCTION budget_told(p_ids uuid[]) RETURNS TABLE (window_id uuid, reached int) LANGUAGE sql VOLATILE AS $$
  WITH crossed AS (
    SELECT w.id, t.percent FROM budgets_budgetwindow AS w
    JOIN budgets_budget AS b ON b.name = w.budget AND b.status = 'active'
    CROSS JOIN LATERAL unnest(b.thresholds) AS t (percent)
    WHERE w.id = ANY (p_ids) AND t.percent > w.told AND w.spent * 100 >= w."limit" * t.percent
  ), kept AS (
    UPDATE budgets_budgetwindow AS w SET told = c.highest
    FROM (SELECT id, max(percent) AS highest FROM crossed GROUP BY id) AS c WHERE c.id = w.id
  )
  SELECT id, percent::int FROM crossed ORDER BY id, percent
$$""",
    "DROP FUNCTION budget_told(uuid[])",
)

# What was used: it leaves the reservation it was made under, and counts in that window; without one, in that of now.
SPEND = (
    """
CREATE FUNCTION budget_spend(p_unit uuid, p_workflow text, p_agent text, p_requester text, p_holder uuid,
  p_money numeric, p_currency text, p_tokens numeric)
RETURNS TABLE (window_id uuid, reached int) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  ids uuid[];
BEGIN
  SELECT array_agg(l.id) INTO ids FROM budget_locked(p_unit, p_workflow, p_agent, p_requester) AS l;
  PERFORM 1 FROM budgets_budgetwindow AS w JOIN budgets_reservation AS r ON r.window_id = w.id
    WHERE r.holder = p_holder ORDER BY w.budget, w.starts_at FOR NO KEY UPDATE OF w;
  SELECT array_agg(x.id) INTO ids FROM (
    SELECT DISTINCT ON (w.budget) w.id FROM budgets_budgetwindow AS w
    LEFT JOIN budgets_reservation AS r ON r.window_id = w.id AND r.holder = p_holder
    WHERE w.id = ANY (ids) OR r.id IS NOT NULL ORDER BY w.budget, r.id IS NULL, w.starts_at) AS x;
  WITH used AS (
    SELECT w.id, CASE WHEN w.measure = 'tokens' THEN p_tokens
      WHEN w.measure = 'money' AND w.currency = p_currency THEN COALESCE(p_money, 0) ELSE 0 END AS amount,
      (w.measure = 'money' AND (p_money IS NULL OR w.currency <> p_currency))::int AS unknown
    FROM budgets_budgetwindow AS w WHERE w.id = ANY (ids)
  ), taken AS (
    SELECT u.*, r.id AS reservation, LEAST(COALESCE(r.amount, 0), GREATEST(u.amount, 0)) AS part FROM used AS u
    LEFT JOIN budgets_reservation AS r ON r.window_id = u.id AND r.holder = p_holder
  ), lessened AS (
    UPDATE budgets_reservation AS r SET amount = r.amount - t.part FROM taken AS t WHERE r.id = t.reservation
  )
  UPDATE budgets_budgetwindow AS w SET spent = w.spent + t.amount, reserved = w.reserved - t.part,
    unknown = w.unknown + t.unknown FROM taken AS t WHERE w.id = t.id;
  RETURN QUERY SELECT * FROM budget_told(ids);
END $$""",
    "DROP FUNCTION budget_spend(uuid, text, text, text, uuid, numeric, text, numeric)",
)

# What a holder did not use is free again. What it reserved of a budget of runs is used up if it ran.
RELEASE = (
    """
CREATE FUNCTION budget_release(p_holder uuid, p_ran boolean) RETURNS TABLE (window_id uuid, reached int)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  ids uuid[];
BEGIN
  SELECT array_agg(x.id) INTO ids FROM (SELECT w.id FROM budgets_budgetwindow AS w
    JOIN budgets_reservation AS r ON r.window_id = w.id WHERE r.holder = p_holder
    ORDER BY w.budget, w.starts_at FOR NO KEY UPDATE OF w) AS x;
  IF ids IS NULL THEN
    RETURN;
  END IF;
  WITH gone AS (
    DELETE FROM budgets_reservation AS r WHERE r.holder = p_holder AND r.window_id = ANY (ids)
    RETURNING r.window_id, r.amount
  )
  UPDATE budgets_budgetwindow AS w SET reserved = w.reserved - g.amount,
    spent = w.spent + CASE WHEN p_ran AND w.measure = 'runs' THEN g.amount ELSE 0 END
  FROM gone AS g WHERE w.id = g.window_id;
  RETURN QUERY SELECT * FROM budget_told(ids);
END $$""",
    "DROP FUNCTION budget_release(uuid, boolean)",
)

# Whoever writes it, and however: a reservation never takes a window past a hard limit.
NEVER_PAST = (
    """
CREATE FUNCTION budget_never_past() RETURNS trigger LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  IF NEW.is_hard AND NEW.reserved > (CASE TG_OP WHEN 'UPDATE' THEN OLD.reserved ELSE 0 END)
     AND NEW.spent + NEW.reserved > NEW."limit" THEN
    RAISE EXCEPTION 'the budget % has no room for this reservation', NEW.budget USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER budgets_budgetwindow_never_past BEFORE INSERT OR UPDATE ON budgets_budgetwindow
FOR EACH ROW EXECUTE FUNCTION budget_never_past()""",
    "DROP TRIGGER budgets_budgetwindow_never_past ON budgets_budgetwindow; DROP FUNCTION budget_never_past()",
)


class Migration(migrations.Migration):
    dependencies = [("budgets", "0008_budgets"), ("audit", "0002_append_only")]
    operations = [
        migrations.RunSQL(*pair)
        for pair in (GUARD, NEW_ID, COVERING, LOCKED, RESERVE, TOLD, SPEND, RELEASE, NEVER_PAST)
    ]
