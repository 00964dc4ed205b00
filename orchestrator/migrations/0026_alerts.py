"""What needs somebody: one new table, written by the sweep and by people who acknowledge, hand over and mute."""



import audit.ids
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('orchestrator', '0025_traces_are_read'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('open', 'Open'), ('acknowledged', 'Acknowledged'), ('resolved', 'Resolved')], default='open', editable=False, max_length=20)),
                ('rule', models.CharField(max_length=40)),
                ('kind', models.CharField(max_length=60)),
                ('subject', models.TextField()),
                ('title', models.TextField()),
                ('unit_id', models.UUIDField()),
                ('unit_title', models.TextField()),
                ('severity', models.CharField(choices=[('warning', 'Warning'), ('critical', 'Critical')], max_length=10)),
                ('owner_name', models.TextField(default='')),
                ('runbook', models.TextField(default='')),
                ('evidence', models.TextField(default='')),
                ('detail', models.TextField(default='')),
                ('count', models.PositiveIntegerField(default=1)),
                ('first_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('last_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('acknowledged_name', models.TextField(default='')),
                ('acknowledged_at', models.DateTimeField(null=True)),
                ('muted_until', models.DateTimeField(null=True)),
                ('remind_at', models.DateTimeField(null=True)),
                ('resolved_at', models.DateTimeField(null=True)),
                ('why', models.TextField(default='')),
                ('acknowledged_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('owner_group', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='auth.group')),
                ('owner_person', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'indexes': [models.Index(fields=['unit_id', 'status', '-last_at', '-id'], name='alert_unit'), models.Index(condition=models.Q(('status', 'open')), fields=['remind_at'], name='alert_reminder'), models.Index(fields=['rule', 'status'], name='alert_rule')],
                'constraints': [models.UniqueConstraint(fields=('unit_id', 'kind', 'subject'), name='one_alert_per_kind_subject_and_unit'), models.CheckConstraint(condition=models.Q(models.Q(('status', 'acknowledged'), _negated=True), ('acknowledged_at__isnull', False), _connector='OR'), name='acknowledged_alert_says_by_whom'), models.CheckConstraint(condition=models.Q(models.Q(('resolved_at__isnull', False), ('status', 'resolved')), models.Q(models.Q(('status', 'resolved'), _negated=True), ('resolved_at__isnull', True)), _connector='OR'), name='only_a_resolved_alert_says_since_when_it_is_over'), models.CheckConstraint(condition=models.Q(('owner_person__isnull', True), ('owner_group__isnull', True), _connector='OR'), name='alert_has_one_owner')],
            },
        ),
    ]
