"""Whoever signed may still reject while others have to sign: a "no" beside the "yes" of the same person and revision.

The index of the weaker constraint is built while people decide; then one takes the other's place at once. On the way back
the stronger one returns where no such "no" was given meanwhile; where one was, the code of before asks the same under
its lock.
"""

from django.db import migrations, models

WEAKER = models.UniqueConstraint(
    fields=("request", "person", "revision", "verdict"), name="one_voice_of_a_kind_per_person_and_revision"
)
STRONGER = "one_voice_per_person_and_revision"
# What an attempt that failed half-way has left would never become valid.
CLEAR = f"DROP INDEX CONCURRENTLY IF EXISTS {WEAKER.name}"
BUILD = f"""
CREATE UNIQUE INDEX CONCURRENTLY {WEAKER.name} ON approvals_decision (request_id, person_id, revision, verdict)
"""
SWAP = f"""
ALTER TABLE approvals_decision
    ADD CONSTRAINT {WEAKER.name} UNIQUE USING INDEX {WEAKER.name}, DROP CONSTRAINT IF EXISTS {STRONGER}
"""
BACK = f"""
DO $$ BEGIN
    ALTER TABLE approvals_decision DROP CONSTRAINT {WEAKER.name};
    BEGIN
        ALTER TABLE approvals_decision ADD CONSTRAINT {STRONGER} UNIQUE (request_id, person_id, revision);
    EXCEPTION WHEN unique_violation THEN
        RAISE NOTICE 'Some who signed rejected afterwards: {STRONGER} is left out.';
    END;
END $$
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("approvals", "0046_sign_in_tries")]

    operations = [
        migrations.SeparateDatabaseAndState(
            [
                migrations.RunSQL(CLEAR, migrations.RunSQL.noop),
                migrations.RunSQL(BUILD, migrations.RunSQL.noop),
                migrations.RunSQL(SWAP, BACK),
            ],
            [migrations.AddConstraint("decision", WEAKER), migrations.RemoveConstraint("decision", STRONGER)],
        )
    ]
