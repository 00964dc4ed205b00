"""The database's own walls: a use of a factor is never rewritten, and no decision that needs one is stored without it."""

from django.db import migrations

APPEND_ONLY = (
    "CREATE TRIGGER approvals_confirmation_append_only BEFORE UPDATE OR DELETE ON approvals_confirmation "
    "FOR EACH ROW EXECUTE FUNCTION append_only()",
    "DROP TRIGGER approvals_confirmation_append_only ON approvals_confirmation",
)
# Asked at the insert only: decisions of the time before this migration stay as they were made.
CONFIRMED = (
    """
CREATE FUNCTION approvals_decision_confirmed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM approvals_approvalrequest WHERE id = NEW.request_id AND (step_up OR required > 1))
    AND NOT EXISTS (
      SELECT 1 FROM approvals_confirmation
      WHERE id = NEW.confirmation_id AND person_id = NEW.person_id AND kind IN ('totp', 'webauthn')
        AND (request_id, digest, revision) = (NEW.request_id, NEW.digest, NEW.revision)
    )
  THEN
    RAISE EXCEPTION 'a decision on this request needs a second factor bound to exactly what is decided';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER approvals_decision_confirmed BEFORE INSERT ON approvals_decision
  FOR EACH ROW EXECUTE FUNCTION approvals_decision_confirmed();
""",
    "DROP TRIGGER approvals_decision_confirmed ON approvals_decision; DROP FUNCTION approvals_decision_confirmed();",
)


class Migration(migrations.Migration):
    dependencies = [("approvals", "0025_second_factors"), ("audit", "0002_append_only")]
    operations = [migrations.RunSQL(*APPEND_ONLY), migrations.RunSQL(*CONFIRMED)]
