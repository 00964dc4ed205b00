"""An action shows the tier its approval request shows: the tool's, raised by the policies. In small steps, beside a running system."""

from django.db import migrations

STEP = 2_000
RAISE = """
UPDATE orchestrator_action SET tier = wanted.tier
FROM (SELECT a.id, r.tier FROM orchestrator_action AS a JOIN approvals_approvalrequest AS r ON r.id = a.approval_id
      WHERE a.tier <> r.tier LIMIT %s) AS wanted
WHERE orchestrator_action.id = wanted.id
"""
LOWER = """
UPDATE orchestrator_action SET tier = wanted.tier
FROM (SELECT a.id, t.tier FROM orchestrator_action AS a
      JOIN orchestrator_tool AS t ON t.name = a.tool AND t.version = a.tool_version
      WHERE a.tier <> t.tier LIMIT %s) AS wanted
WHERE orchestrator_action.id = wanted.id
"""


def in_steps(sql):
    def run(apps, schema_editor):
        with schema_editor.connection.cursor() as cursor:
            while cursor.rowcount != 0:
                cursor.execute(sql, [STEP])

    return run


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orchestrator", "0021_letters_have_groups"), ("approvals", "0024_lifecycles_together")]
    operations = [migrations.RunPython(in_steps(RAISE), in_steps(LOWER), elidable=True)]
