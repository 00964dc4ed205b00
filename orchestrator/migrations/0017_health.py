"""What workers say of themselves, and the samples of the figures: two new tables, touched by nothing that runs steps."""

import audit.ids
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orchestrator', '0016_index_of_undoing'),
    ]

    operations = [
        migrations.CreateModel(
            name='WorkerHost',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('host', models.TextField()),
                ('pid', models.PositiveIntegerField()),
                ('version', models.TextField()),
                ('cluster', models.TextField(db_default='', default='')),
                ('hands', models.PositiveIntegerField()),
                ('busy', models.PositiveIntegerField(db_default=0, default=0)),
                ('started_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('beat_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('swept_at', models.DateTimeField(null=True)),
                ('sweep_seconds', models.FloatField(null=True)),
                ('last_claim_at', models.DateTimeField(null=True)),
                ('last_progress_at', models.DateTimeField(null=True)),
                ('clock_skew_seconds', models.FloatField(null=True)),
                ('stands_still', models.BooleanField(db_default=False, default=False)),
                ('restarts', models.PositiveIntegerField(db_default=0, default=0)),
                ('restarted_at', models.DateTimeField(null=True)),
                ('restarted_why', models.TextField(db_default='', default='')),
                ('ended_at', models.DateTimeField(null=True)),
                ('ended_why', models.TextField(db_default='', default='')),
            ],
        ),
        migrations.CreateModel(
            name='HealthSample',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('figures', models.JSONField()),
            ],
            options={
                'indexes': [models.Index(fields=['at'], name='health_sample_time')],
            },
        ),
    ]
