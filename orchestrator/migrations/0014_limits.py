"""Limits, the breakers they move, and the steps that wait for their turn."""

import audit.ids
import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from audit.lifecycle import guard_sql

STEP = [
    "awaiting_approval>business_error",
    "awaiting_approval>cancelled",
    "awaiting_approval>pending",
    "awaiting_approval>success",
    "budget_hold>cancelled",
    "budget_hold>pending",
    "dead_letter>cancelled",
    "dead_letter>pending",
    "in_progress>awaiting_approval",
    "in_progress>budget_hold",
    "in_progress>business_error",
    "in_progress>cancelled",
    "in_progress>pending",
    "in_progress>stopped",
    "in_progress>success",
    "in_progress>system_error",
    "in_progress>throttled",
    "in_progress>unknown_outcome",
    "pending>budget_hold",
    "pending>business_error",
    "pending>cancelled",
    "pending>in_progress",
    "pending>skipped",
    "scheduled>cancelled",
    "scheduled>pending",
    "stopped>cancelled",
    "stopped>pending",
    "system_error>awaiting_approval",
    "system_error>dead_letter",
    "system_error>scheduled",
    "throttled>cancelled",
    "throttled>pending",
    "unknown_outcome>cancelled",
    "unknown_outcome>dead_letter",
    "unknown_outcome>pending",
]
BREAKER = ["closed>open", "open>closed", "open>trying", "trying>closed", "trying>open"]
LIMIT = ["active>retired", "draft>active", "draft>retired"]


def replaced():
    """In one transaction: there is no moment in which the table has no guard. The way back keeps the wider list."""
    make, drop = guard_sql("orchestrator_step", STEP, ["pending"])
    return migrations.RunSQL(f"{drop}; {make}", migrations.RunSQL.noop)


class Migration(migrations.Migration):

    dependencies = [
        ('orchestrator', '0013_due_of_unit'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Breaker',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('closed', 'Closed'), ('open', 'Open'), ('trying', 'Trying')], default='closed', editable=False, max_length=10)),
                ('failures', models.PositiveIntegerField(default=0)),
                ('until', models.DateTimeField(null=True)),
                ('next_at', models.DateTimeField()),
                ('why', models.TextField(default='')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Limit',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('draft', 'Draft'), ('active', 'Active'), ('retired', 'Retired')], default='draft', editable=False, max_length=10)),
                ('editors', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), db_default=[], default=list, editable=False, size=None)),
                ('activated_at', models.DateTimeField(editable=False, null=True)),
                ('name', models.SlugField(help_text='Short name of this limit: erp-postings', max_length=80)),
                ('version', models.PositiveIntegerField(default=1)),
                ('unit_id', models.UUIDField(blank=True, help_text='With everything below it. Empty means every unit, together', null=True)),
                ('agent', models.CharField(blank=True, help_text='Empty means every agent, together', max_length=200)),
                ('tool', models.CharField(blank=True, help_text='Empty means every tool, together', max_length=200)),
                ('per_minute', models.PositiveIntegerField(blank=True, help_text='Calls that may go out in a minute', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('at_once', models.PositiveIntegerField(blank=True, help_text='Calls under way at the same time', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('breaks_after', models.PositiveIntegerField(blank=True, help_text='Failures of the other system in a row, after which nothing is sent for a while', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('break_seconds', models.PositiveIntegerField(default=60, help_text='How long nothing is sent, before one call tries again', validators=[django.core.validators.MinValueValidator(1)])),
                ('most_queued', models.PositiveIntegerField(blank=True, help_text='Executions that may wait for a worker in the unit; further ones are refused. Not with an agent or a tool', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('why', models.CharField(blank=True, help_text='The reason, as whoever waits for it reads it', max_length=300)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.AddField(
            model_name='step',
            name='waits_for',
            field=models.UUIDField(null=True),
        ),
        migrations.AlterField(
            model_name='step',
            name='status',
            field=models.CharField(choices=[('pending', 'Pending'), ('in_progress', 'In Progress'), ('success', 'Success'), ('business_error', 'Business Error'), ('system_error', 'System Error'), ('scheduled', 'Scheduled'), ('dead_letter', 'Dead Letter'), ('awaiting_approval', 'Awaiting Approval'), ('budget_hold', 'Budget Hold'), ('throttled', 'Throttled'), ('stopped', 'Stopped'), ('unknown_outcome', 'Unknown Outcome'), ('cancelled', 'Cancelled'), ('skipped', 'Skipped')], default='pending', editable=False, max_length=20),
        ),
        migrations.AddField(
            model_name='limit',
            name='activated_by',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='limit',
            name='edited_by',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='breaker',
            name='limit',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='breaker', to='orchestrator.limit'),
        ),
        migrations.AddConstraint(
            model_name='limit',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'active')), fields=('name',), name='one_active_limit_per_name'),
        ),
        migrations.AddConstraint(
            model_name='limit',
            constraint=models.CheckConstraint(condition=models.Q(('activated_by__isnull', True), models.Q(('activated_by', models.F('edited_by')), _negated=True), _connector='OR'), name='active_limit_was_activated_by_another_person'),
        ),
        migrations.AddConstraint(
            model_name='limit',
            constraint=models.CheckConstraint(condition=models.Q(('activated_by__isnull', True), models.Q(('editors__contains', [models.F('activated_by')]), _negated=True), _connector='OR'), name='active_limit_was_never_edited_by_its_activator'),
        ),
        migrations.AddConstraint(
            model_name='limit',
            constraint=models.UniqueConstraint(fields=('name', 'version'), name='one_limit_per_name_and_version'),
        ),
        migrations.AddConstraint(
            model_name='limit',
            constraint=models.CheckConstraint(condition=models.Q(('per_minute__isnull', False), ('at_once__isnull', False), ('breaks_after__isnull', False), ('most_queued__isnull', False), _connector='OR'), name='limit_limits_something'),
        ),
        migrations.AddConstraint(
            model_name='limit',
            constraint=models.CheckConstraint(condition=models.Q(('most_queued__isnull', True), models.Q(('agent', ''), ('tool', '')), _connector='OR'), name='only_a_units_queue_is_limited'),
        ),
        migrations.RunSQL(*guard_sql("orchestrator_breaker", BREAKER, ["closed"])),
        migrations.RunSQL(*guard_sql("orchestrator_limit", LIMIT, ["draft"])),
        replaced(),
    ]
