"""Acceptable ranges that people draft and activate: one new table, guarded like every definition."""

import audit.ids
import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from audit.lifecycle import guard_sql


GUARD = guard_sql("orchestrator_servicelevel", ["active>retired", "draft>active", "draft>retired"], ["draft"])


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0002_append_only'),
        ('orchestrator', '0029_action_joins_trace'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ServiceLevel',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('draft', 'Draft'), ('active', 'Active'), ('retired', 'Retired')], default='draft', editable=False, max_length=10)),
                ('editors', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), db_default=[], default=list, editable=False, size=None)),
                ('activated_at', models.DateTimeField(editable=False, null=True)),
                ('name', models.SlugField(help_text='Short name of this range: nordics-success', max_length=80)),
                ('version', models.PositiveIntegerField(default=1)),
                ('unit_id', models.UUIDField(blank=True, help_text='With everything below it. Empty means every unit', null=True)),
                ('workflow', models.CharField(blank=True, help_text="Empty means all of a unit's executions together", max_length=200)),
                ('figure', models.CharField(choices=[('cost', 'Cost per transaction, USD'), ('overhead', 'Orchestration overhead, seconds, 95 % below'), ('success', 'Success rate, per cent')], default='success', max_length=10)),
                ('low', models.DecimalField(decimal_places=4, help_text='Success below it is out of range. Cost and overhead below it alarm nobody', max_digits=12, validators=[django.core.validators.MinValueValidator(0)])),
                ('high', models.DecimalField(decimal_places=4, help_text='Cost and overhead above it are out of range. Of success it is 100', max_digits=12, validators=[django.core.validators.MinValueValidator(0)])),
                ('why', models.CharField(blank=True, help_text='The reason, as whoever is alarmed by it reads it', max_length=300)),
                ('activated_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('edited_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'abstract': False,
                'constraints': [models.UniqueConstraint(condition=models.Q(('status', 'active')), fields=('name',), name='one_active_servicelevel_per_name'), models.CheckConstraint(condition=models.Q(('activated_by__isnull', True), models.Q(('activated_by', models.F('edited_by')), _negated=True), _connector='OR'), name='active_servicelevel_was_activated_by_another_person'), models.CheckConstraint(condition=models.Q(('activated_by__isnull', True), models.Q(('editors__contains', [models.F('activated_by')]), _negated=True), _connector='OR'), name='active_servicelevel_was_never_edited_by_its_activator'), models.UniqueConstraint(fields=('name', 'version'), name='one_service_level_per_name_and_version'), models.CheckConstraint(condition=models.Q(('high__gte', models.F('low')), ('low__gte', 0)), name='service_level_ends_where_it_begins_or_above')],
            },
        ),
        migrations.RunSQL(*GUARD),
    ]
