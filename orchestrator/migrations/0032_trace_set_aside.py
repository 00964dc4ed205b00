"""Batches of spans that the trace sink turned down for good: a new table."""

import audit.ids
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orchestrator', '0031_outcome_rollups'),
    ]

    operations = [
        migrations.CreateModel(
            name='TraceSetAside',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('written_in', models.BigIntegerField()),
                ('last_id', models.UUIDField()),
                ('until', models.BigIntegerField()),
                ('parts', models.PositiveIntegerField()),
                ('spans', models.PositiveIntegerField()),
                ('status', models.PositiveSmallIntegerField()),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('written_in', 'last_id'), name='a_batch_is_set_aside_once')],
            },
        ),
    ]
