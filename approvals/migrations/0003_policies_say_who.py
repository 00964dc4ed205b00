"""Policies say whose signatures, which answers and which hours; groups, calendars and linked accounts come with them.

Every new column has a default in the database, so web processes of the version before go on inserting meanwhile.
"""

import audit.ids
import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Everybody the trail knows to have edited a draft; of what is in force already, the last editor. Undone with the column.
EDITORS = """
UPDATE {table} AS d SET editors = CASE WHEN d.status <> 'draft' THEN ARRAY[d.edited_by_id] ELSE ARRAY(
  SELECT DISTINCT editor FROM (
    SELECT substr(actor, 6)::bigint AS editor FROM audit_auditevent
    WHERE object_id = d.id AND actor LIKE 'user:%' AND event IN ('{noun}.draft', '{noun}.edited')
    UNION ALL SELECT d.edited_by_id
  ) AS known WHERE editor IS NOT NULL ORDER BY editor
) END WHERE d.edited_by_id IS NOT NULL
"""


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0002_append_only'),
        ('approvals', '0002_lifecycle'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='BusinessCalendar',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('draft', 'Draft'), ('active', 'Active'), ('retired', 'Retired')], default='draft', editable=False, max_length=10)),
                ('editors', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), db_default=[], default=list, editable=False, size=None)),
                ('activated_at', models.DateTimeField(editable=False, null=True)),
                ('name', models.SlugField(help_text='Short name, as policies write it: office-hours', max_length=80)),
                ('version', models.PositiveIntegerField(default=1)),
                ('title', models.CharField(help_text='As reviewers read it: Office hours, Oslo', max_length=100)),
                ('unit_id', models.UUIDField(blank=True, help_text='Empty means every business unit', null=True)),
                ('time_zone', models.CharField(default='UTC', help_text='IANA name: Europe/Oslo', max_length=60)),
                ('weekly_hours', models.TextField(help_text='One line each: Mon-Fri 09:00-17:00')),
                ('holidays', models.TextField(blank=True, help_text='Closed days, one a line: 2026-12-25 Christmas Day')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='LinkedAccounts',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('draft', 'Draft'), ('active', 'Active'), ('retired', 'Retired')], default='draft', editable=False, max_length=10)),
                ('editors', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), db_default=[], default=list, editable=False, size=None)),
                ('activated_at', models.DateTimeField(editable=False, null=True)),
                ('name', models.SlugField(help_text='Short name of the person: grace-hopper', max_length=80)),
                ('version', models.PositiveIntegerField(default=1)),
                ('account_ids', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), blank=True, default=list, help_text='Accounts of this person', size=None)),
                ('reason', models.CharField(help_text='How it is known that these are one person', max_length=300)),
            ],
            options={
                'verbose_name_plural': 'linked accounts',
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='ReviewerGroup',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('draft', 'Draft'), ('active', 'Active'), ('retired', 'Retired')], default='draft', editable=False, max_length=10)),
                ('editors', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), db_default=[], default=list, editable=False, size=None)),
                ('activated_at', models.DateTimeField(editable=False, null=True)),
                ('name', models.SlugField(help_text='Short name, as policies write it: risk', max_length=80)),
                ('version', models.PositiveIntegerField(default=1)),
                ('title', models.CharField(help_text='As reviewers read it: Risk', max_length=100)),
                ('unit_id', models.UUIDField(blank=True, help_text='Empty means every business unit', null=True)),
                ('member_ids', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), blank=True, default=list, help_text='Who is in the group', size=None)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.RemoveConstraint(
            model_name='approvalrequest',
            name='request_needs_1_or_2_people',
        ),
        migrations.AddField(
            model_name='approvalpolicy',
            name='calendar',
            field=models.CharField(blank=True, db_default='', default='', help_text='Time to decide counts open hours only', max_length=80),
        ),
        migrations.AddField(
            model_name='approvalpolicy',
            name='checks',
            field=models.JSONField(blank=True, db_default=models.Value([], models.JSONField()), default=list, help_text='Questions that have to be answered with yes before somebody may approve'),
        ),
        migrations.AddField(
            model_name='approvalpolicy',
            name='editors',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), db_default=[], default=list, editable=False, size=None),
        ),
        migrations.RunSQL(EDITORS.format(table='approvals_approvalpolicy', noun='approval_policy'), migrations.RunSQL.noop),
        migrations.AddField(
            model_name='approvalpolicy',
            name='escalate_to',
            field=models.CharField(blank=True, db_default='', default='', help_text='The group asked next, when it escalates', max_length=80),
        ),
        migrations.AddField(
            model_name='approvalpolicy',
            name='needs',
            field=models.JSONField(blank=True, db_default=models.Value([], models.JSONField()), default=list, help_text='Whose signatures, group by group: [{groups: [finance], count: 1}]'),
        ),
        migrations.AddField(
            model_name='approvalpolicy',
            name='reason_codes',
            field=models.JSONField(blank=True, db_default=models.Value([], models.JSONField()), default=list, help_text='The reasons a decision may give; none chosen means all'),
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='calendar',
            field=models.TextField(db_default='', default='', help_text='The calendar that set the time to decide'),
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='checks',
            field=models.JSONField(db_default=models.Value([], models.JSONField()), default=list),
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='duties',
            field=models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict, help_text='Why each of them cannot: key to words'),
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='escalate_to',
            field=models.TextField(db_default='', default=''),
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='needs',
            field=models.JSONField(db_default=models.Value([], models.JSONField()), default=list, help_text='Groups that must be among the signers'),
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='open_to',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), null=True, size=None),
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='overdue_noted_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='reason_codes',
            field=models.JSONField(db_default=models.Value([], models.JSONField()), default=list),
        ),
        migrations.AddField(
            model_name='decision',
            name='answers',
            field=models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict),
        ),
        migrations.AlterField(
            model_name='approvalpolicy',
            name='on_timeout',
            field=models.CharField(choices=[('reject', 'the action is refused'), ('hold', 'it stays waiting, marked overdue'), ('escalate', 'it stays waiting, and another group is asked')], default='reject', max_length=10),
        ),
        migrations.AlterField(
            model_name='approvalpolicy',
            name='required',
            field=models.PositiveSmallIntegerField(default=1, help_text='How many different people must approve: 0, 1 or 2, or more if the groups below are more'),
        ),
        migrations.AlterField(
            model_name='approvalrequest',
            name='on_timeout',
            field=models.CharField(choices=[('reject', 'the action is refused'), ('hold', 'it stays waiting, marked overdue'), ('escalate', 'it stays waiting, and another group is asked')], default='reject', max_length=10),
        ),
        migrations.AddConstraint(
            model_name='approvalpolicy',
            constraint=models.CheckConstraint(condition=models.Q(('activated_by__isnull', True), models.Q(('editors__contains', [models.F('activated_by')]), _negated=True), _connector='OR'), name='active_approvalpolicy_was_never_edited_by_its_activator'),
        ),
        migrations.AddConstraint(
            model_name='approvalpolicy',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('on_timeout', 'escalate'), models.Q(('escalate_to', ''), _negated=True)), models.Q(models.Q(('on_timeout', 'escalate'), _negated=True), ('escalate_to', '')), _connector='OR'), name='policy_escalates_iff_to_a_group'),
        ),
        migrations.AddConstraint(
            model_name='approvalrequest',
            constraint=models.CheckConstraint(condition=models.Q(('required__range', (1, 20))), name='request_needs_1_to_20_people'),
        ),
        migrations.AddConstraint(
            model_name='approvalrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('on_timeout', 'escalate'), models.Q(('escalate_to', ''), _negated=True)), models.Q(models.Q(('on_timeout', 'escalate'), _negated=True), ('escalate_to', '')), _connector='OR'), name='request_escalates_iff_to_a_group'),
        ),
        migrations.AddField(
            model_name='businesscalendar',
            name='activated_by',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='businesscalendar',
            name='edited_by',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='linkedaccounts',
            name='activated_by',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='linkedaccounts',
            name='edited_by',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='reviewergroup',
            name='activated_by',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='reviewergroup',
            name='edited_by',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='businesscalendar',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'active')), fields=('name',), name='one_active_businesscalendar_per_name'),
        ),
        migrations.AddConstraint(
            model_name='businesscalendar',
            constraint=models.CheckConstraint(condition=models.Q(('activated_by__isnull', True), models.Q(('activated_by', models.F('edited_by')), _negated=True), _connector='OR'), name='active_businesscalendar_was_activated_by_another_person'),
        ),
        migrations.AddConstraint(
            model_name='businesscalendar',
            constraint=models.CheckConstraint(condition=models.Q(('activated_by__isnull', True), models.Q(('editors__contains', [models.F('activated_by')]), _negated=True), _connector='OR'), name='active_businesscalendar_was_never_edited_by_its_activator'),
        ),
        migrations.AddConstraint(
            model_name='businesscalendar',
            constraint=models.UniqueConstraint(fields=('name', 'version'), name='one_calendar_per_name_and_version'),
        ),
        migrations.AddConstraint(
            model_name='linkedaccounts',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'active')), fields=('name',), name='one_active_linkedaccounts_per_name'),
        ),
        migrations.AddConstraint(
            model_name='linkedaccounts',
            constraint=models.CheckConstraint(condition=models.Q(('activated_by__isnull', True), models.Q(('activated_by', models.F('edited_by')), _negated=True), _connector='OR'), name='active_linkedaccounts_was_activated_by_another_person'),
        ),
        migrations.AddConstraint(
            model_name='linkedaccounts',
            constraint=models.CheckConstraint(condition=models.Q(('activated_by__isnull', True), models.Q(('editors__contains', [models.F('activated_by')]), _negated=True), _connector='OR'), name='active_linkedaccounts_was_never_edited_by_its_activator'),
        ),
        migrations.AddConstraint(
            model_name='linkedaccounts',
            constraint=models.UniqueConstraint(fields=('name', 'version'), name='one_link_per_name_and_version'),
        ),
        migrations.AddConstraint(
            model_name='reviewergroup',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'active')), fields=('name',), name='one_active_reviewergroup_per_name'),
        ),
        migrations.AddConstraint(
            model_name='reviewergroup',
            constraint=models.CheckConstraint(condition=models.Q(('activated_by__isnull', True), models.Q(('activated_by', models.F('edited_by')), _negated=True), _connector='OR'), name='active_reviewergroup_was_activated_by_another_person'),
        ),
        migrations.AddConstraint(
            model_name='reviewergroup',
            constraint=models.CheckConstraint(condition=models.Q(('activated_by__isnull', True), models.Q(('editors__contains', [models.F('activated_by')]), _negated=True), _connector='OR'), name='active_reviewergroup_was_never_edited_by_its_activator'),
        ),
        migrations.AddConstraint(
            model_name='reviewergroup',
            constraint=models.UniqueConstraint(fields=('name', 'version'), name='one_group_per_name_and_version'),
        ),
    ]
