"""Stops, and since when one keeps a request's clocks still."""

import audit.ids
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0013_delegation_index'),
    ]

    operations = [
        migrations.CreateModel(
            name='Stop',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('engaged', 'Engaged'), ('lifted', 'Lifted')], default='engaged', editable=False, max_length=10)),
                ('scope', models.CharField(choices=[('agent', 'An agent'), ('tool', 'A tool'), ('unit', 'A business unit and everything below it'), ('everything', 'Everything, in every business unit')], max_length=10)),
                ('agent', models.TextField(blank=True, default='')),
                ('tool', models.TextField(blank=True, default='')),
                ('unit_id', models.UUIDField(null=True)),
                ('unit_title', models.TextField(default='')),
                ('reason', models.TextField()),
                ('engaged_by', models.TextField()),
                ('engaged_by_name', models.TextField()),
                ('engaged_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('lifted_by', models.TextField(default='')),
                ('lifted_by_name', models.TextField(default='')),
                ('lifted_at', models.DateTimeField(null=True)),
                ('lifted_why', models.TextField(default='')),
            ],
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='frozen_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name='stop',
            index=models.Index(fields=['-engaged_at', '-id'], name='stop_by_time'),
        ),
        migrations.AddConstraint(
            model_name='stop',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'engaged')), fields=('scope', 'agent', 'tool', 'unit_id'), name='one_engaged_stop_per_target', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='stop',
            constraint=models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='stop_has_a_reason'),
        ),
        migrations.AddConstraint(
            model_name='stop',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('lifted_at', None), ('lifted_by', ''), ('lifted_why', ''), ('status', 'engaged')), models.Q(('lifted_at__isnull', False), ('status', 'lifted'), models.Q(('lifted_by', ''), _negated=True), models.Q(('lifted_why', ''), _negated=True)), _connector='OR'), name='stop_was_lifted_by_somebody_for_a_reason_iff_lifted'),
        ),
        migrations.AddConstraint(
            model_name='stop',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('scope', 'agent'), ('tool', ''), models.Q(('agent', ''), _negated=True)), models.Q(('agent', ''), ('scope', 'tool'), models.Q(('tool', ''), _negated=True)), models.Q(('agent', ''), ('scope', 'unit'), ('tool', ''), ('unit_id__isnull', False)), models.Q(('agent', ''), ('scope', 'everything'), ('tool', ''), ('unit_id', None)), _connector='OR'), name='stop_names_exactly_what_its_scope_says'),
        ),
    ]
