"""What people found out about sends that nobody answered for, and when something is due next. Answers are append-only."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import audit.ids

ANSWERS = "orchestrator_outcomeanswer"


class Migration(migrations.Migration):
    dependencies = [
        ("orchestrator", "0009_lifecycles_together"),
        ("audit", "0002_append_only"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.AddField(
            model_name="action", name="looks", field=models.PositiveSmallIntegerField(db_default=0, default=0)
        ),
        migrations.AddField(model_name="action", name="next_look_at", field=models.DateTimeField(null=True)),
        migrations.CreateModel(
            name="OutcomeAnswer",
            fields=[
                ("id", models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("person_name", models.TextField()),
                (
                    "verdict",
                    models.CharField(
                        choices=[
                            ("happened", "It happened"),
                            ("did_not", "It did not happen"),
                            ("cannot_tell", "Cannot tell"),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "code",
                    models.CharField(
                        choices=[
                            ("in_their_books", "I saw it in the other system's books"),
                            ("not_in_their_books", "It is not in the other system's books"),
                            ("they_confirm", "The people who run the other system say so"),
                            ("document", "A document shows it (statement, receipt, mail)"),
                            ("no_access", "I cannot look into the other system"),
                            ("books_disagree", "What I found contradicts itself"),
                            ("other", "Other (see the note)"),
                        ],
                        max_length=30,
                    ),
                ),
                ("note", models.TextField()),
                ("result", models.JSONField(null=True)),
                ("owner", models.TextField(default="")),
                ("remind_at", models.DateTimeField(null=True)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "action",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="answers",
                        to="orchestrator.action",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.RunSQL(
            f"CREATE TRIGGER {ANSWERS}_append_only BEFORE UPDATE OR DELETE ON {ANSWERS} "
            "FOR EACH ROW EXECUTE FUNCTION append_only()",
            f"DROP TRIGGER {ANSWERS}_append_only ON {ANSWERS}",
        ),
        # What is in doubt already has its owner reminded from now on, like everything that comes after it.
        migrations.RunSQL(
            "UPDATE orchestrator_action SET next_look_at = clock_timestamp() + interval '1 day' WHERE status = 'unknown'",
            migrations.RunSQL.noop,
        ),
    ]
