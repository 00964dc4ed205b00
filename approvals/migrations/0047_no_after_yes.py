"""Whoever signed may still reject while others have to sign: a "no" beside the "yes" of the same person and revision.

The weaker constraint is there before the stronger one goes. On the way back the stronger one returns where no such "no" was
given meanwhile; where one was, the code of before asks the same under its lock.
"""

from django.db import migrations, models

WEAKER = models.UniqueConstraint(
    fields=("request", "person", "revision", "verdict"), name="one_voice_of_a_kind_per_person_and_revision"
)
STRONGER = "one_voice_per_person_and_revision"
DROP = f"ALTER TABLE approvals_decision DROP CONSTRAINT IF EXISTS {STRONGER}"
BACK = f"""
DO $$ BEGIN
    ALTER TABLE approvals_decision ADD CONSTRAINT {STRONGER} UNIQUE (request_id, person_id, revision);
EXCEPTION WHEN unique_violation THEN
    RAISE NOTICE 'Some who signed rejected afterwards: {STRONGER} is left out.';
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("approvals", "0046_sign_in_tries")]

    operations = [
        migrations.AddConstraint("decision", WEAKER),
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(DROP, BACK)], [migrations.RemoveConstraint("decision", STRONGER)]
        ),
    ]
