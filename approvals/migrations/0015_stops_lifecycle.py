"""The stop's guard, and in one place for everybody what an engaged stop reaches.

`approvals_stop_reach` has a row for every unit a stop reaches (none for everywhere). `approvals_stops_at_the_gate` is
what the gate asks in the transaction that lets something out: it first takes the gate's lock, shared, so that a stop,
which takes it alone, is either seen or waits until that transaction is over. The answer is read after the lock.
"""

from django.db import migrations

from audit.lifecycle import guard_sql

REACH = """
CREATE VIEW approvals_stop_reach AS
WITH RECURSIVE reach (stop_id, unit_id) AS (
  SELECT id, unit_id FROM approvals_stop WHERE status = 'engaged'
  UNION
  SELECT reach.stop_id, unit.id FROM reach JOIN budgets_businessunit AS unit ON unit.parent_id = reach.unit_id
)
SELECT reach.stop_id, reach.unit_id, stop.agent, stop.tool, stop.engaged_at
FROM reach JOIN approvals_stop AS stop ON stop.id = reach.stop_id;

CREATE FUNCTION approvals_stops_at_the_gate(_unit uuid, _agent text, _tool text) RETURNS SETOF uuid
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(1398034000, 1);
  RETURN QUERY SELECT s.stop_id FROM approvals_stop_reach AS s
    WHERE (s.unit_id IS NULL OR s.unit_id = _unit) AND s.agent IN ('', _agent) AND s.tool IN ('', _tool);
END $$;
"""
REMOVE = """
DROP FUNCTION approvals_stops_at_the_gate(uuid, text, text);
DROP VIEW approvals_stop_reach;
"""


class Migration(migrations.Migration):
    dependencies = [("approvals", "0014_stops"), ("budgets", "0001_initial")]
    operations = [
        migrations.RunSQL(*guard_sql("approvals_stop", ["engaged>lifted"], ["engaged"])),
        migrations.RunSQL(REACH, REMOVE),
    ]
