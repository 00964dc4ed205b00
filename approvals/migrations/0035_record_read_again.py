"""The record behind a waiting act, read again for its reviewers: asked, found, and what people were asked before it changed."""

import audit.ids
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


APPEND_ONLY = (
    "CREATE TRIGGER approvals_recordchange_append_only BEFORE UPDATE OR DELETE ON approvals_recordchange "
    "FOR EACH ROW EXECUTE FUNCTION append_only()",
    "DROP TRIGGER approvals_recordchange_append_only ON approvals_recordchange",
)


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0034_claims_that_lapse'),
        ('audit', '0002_append_only'),
    ]

    operations = [
        migrations.CreateModel(
            name='RecordChange',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('revision', models.PositiveIntegerField(help_text='The revision this reading made')),
                ('before', models.TextField()),
                ('before_digest', models.CharField(max_length=64)),
                ('after_digest', models.CharField(max_length=64)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='reading_asked_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='reading_asked_by',
            field=models.TextField(db_default='', default='', editable=False),
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='record_found',
            field=models.CharField(choices=[('unchanged', 'Unchanged'), ('changed', 'Changed'), ('failed', 'Failed')], db_default='', default='', editable=False, max_length=10),
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='record_read_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='record_trouble',
            field=models.TextField(db_default='', default='', editable=False),
        ),
        migrations.AddField(
            model_name='recordchange',
            name='request',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='record_changes', to='approvals.approvalrequest'),
        ),
        migrations.AddConstraint(
            model_name='recordchange',
            constraint=models.UniqueConstraint(fields=('request', 'revision'), name='one_record_change_per_revision'),
        ),
        migrations.RunSQL(*APPEND_ONLY),
    ]
