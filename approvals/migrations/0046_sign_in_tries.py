"""Wrong tries at signing in are counted, under keys that say nothing. The way back drops the counts."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0045_done_by_hand'),
    ]

    operations = [
        migrations.CreateModel(
            name='SignInTries',
            fields=[
                ('key', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('wrong', models.PositiveIntegerField(default=0)),
                ('since', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text='When the hour began that is counted')),
                ('locked_until', models.DateTimeField(null=True)),
                ('seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'indexes': [models.Index(fields=['seen_at'], name='sign_in_tries_to_forget')],
            },
        ),
    ]
