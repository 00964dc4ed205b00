"""A permission on a unit is given and taken with an entry, which whoever audits the unit can read."""

from django.db import migrations

TELL = """
CREATE FUNCTION budgets_unit_roles() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    PERFORM audit_role('taken', to_jsonb(OLD), OLD.content_object_id,
      COALESCE((SELECT name FROM budgets_businessunit WHERE id = OLD.content_object_id), 'a unit that is gone'));
  END IF;
  IF TG_OP <> 'DELETE' THEN
    PERFORM audit_role('given', to_jsonb(NEW), NEW.content_object_id,
      COALESCE((SELECT name FROM budgets_businessunit WHERE id = NEW.content_object_id), 'a unit that is gone'));
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER budgets_unituserpermission_told AFTER INSERT OR UPDATE OR DELETE ON budgets_unituserpermission
  FOR EACH ROW EXECUTE FUNCTION budgets_unit_roles();
CREATE TRIGGER budgets_unitgrouppermission_told AFTER INSERT OR UPDATE OR DELETE ON budgets_unitgrouppermission
  FOR EACH ROW EXECUTE FUNCTION budgets_unit_roles();
"""
TELL_NOT = """
DROP TRIGGER budgets_unitgrouppermission_told ON budgets_unitgrouppermission;
DROP TRIGGER budgets_unituserpermission_told ON budgets_unituserpermission;
DROP FUNCTION budgets_unit_roles();
"""


class Migration(migrations.Migration):
    dependencies = [("budgets", "0020_never_emptied"), ("audit", "0009_people")]
    operations = [migrations.RunSQL(TELL, TELL_NOT)]
