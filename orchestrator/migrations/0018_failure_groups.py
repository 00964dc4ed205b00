"""Groups of equal failures, operations on many letters, and patched inputs of steps."""

import audit.ids
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orchestrator', '0017_health'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Operation',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('previewed', 'Previewed'), ('second_person', 'Second Person'), ('running', 'Running'), ('paused', 'Paused'), ('halted', 'Halted'), ('cancelled', 'Cancelled'), ('done', 'Done')], default='previewed', editable=False, max_length=20)),
                ('act', models.CharField(choices=[('redrive', 'Redrive'), ('discard', 'Discard')], max_length=10)),
                ('unit_id', models.UUIDField()),
                ('unit_title', models.TextField()),
                ('chosen', models.CharField(help_text='one, selected or all', max_length=10)),
                ('person_name', models.TextField()),
                ('second_name', models.TextField(default='')),
                ('size', models.PositiveIntegerField(help_text='Letters it is about, without those left out')),
                ('samples', models.JSONField(default=list, help_text='Three letters of the set, drawn when it was frozen')),
                ('per_minute', models.PositiveIntegerField(default=60)),
                ('stop_percent', models.PositiveSmallIntegerField(default=0, help_text='0: at the first failure')),
                ('accepted_failures', models.PositiveIntegerField(default=0)),
                ('next_at', models.DateTimeField(null=True)),
                ('reason_code', models.CharField(blank=True, choices=[('done_by_hand', 'Done by hand'), ('duplicate', 'A duplicate of other work'), ('not_needed', 'No longer needed'), ('wrong_input', 'Should never have been asked for'), ('test_data', 'Test data'), ('other', 'Other: say what')], default='', max_length=20)),
                ('note', models.TextField(blank=True, default='')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('confirmed_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('why', models.TextField(default='')),
            ],
        ),
        migrations.CreateModel(
            name='OperationItem',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('left_out', 'Left Out'), ('waiting', 'Waiting'), ('under_way', 'Under Way'), ('fixed', 'Fixed'), ('failed', 'Failed'), ('refused', 'Refused'), ('discarded', 'Discarded'), ('not_tried', 'Not Tried')], default='waiting', editable=False, max_length=20)),
                ('unit_id', models.UUIDField()),
                ('place', models.PositiveIntegerField()),
                ('stage', models.PositiveSmallIntegerField(help_text='1: the first one, 2: the next ten, 3: the rest; 0: left out')),
                ('redrive', models.PositiveIntegerField(null=True)),
                ('same_cause', models.BooleanField(help_text='Whether a failure was the old one again', null=True)),
                ('why', models.TextField(default='')),
                ('started_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='StepPatch',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField()),
                ('before', models.JSONField()),
                ('after', models.JSONField()),
                ('before_digest', models.CharField(max_length=64)),
                ('after_digest', models.CharField(max_length=64)),
                ('why', models.TextField()),
                ('person_name', models.TextField()),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.AddField(
            model_name='deadletter',
            name='discard_code',
            field=models.CharField(blank=True, choices=[('done_by_hand', 'Done by hand'), ('duplicate', 'A duplicate of other work'), ('not_needed', 'No longer needed'), ('wrong_input', 'Should never have been asked for'), ('test_data', 'Test data'), ('other', 'Other: say what')], db_default='', default='', max_length=20),
        ),
        migrations.AddField(
            model_name='deadletter',
            name='redrives',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name='deadletter',
            name='status',
            field=models.CharField(choices=[('open', 'Open'), ('redriven', 'Redriven'), ('fixed', 'Fixed'), ('discarded', 'Discarded'), ('ended', 'Ended')], default='open', editable=False, max_length=20),
        ),
        migrations.CreateModel(
            name='FailureGroup',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('new', 'New'), ('ongoing', 'Ongoing'), ('escalating', 'Escalating'), ('regressed', 'Regressed'), ('parked', 'Parked'), ('fixed', 'Fixed'), ('merged', 'Merged')], default='new', editable=False, max_length=20)),
                ('unit_id', models.UUIDField()),
                ('unit_title', models.TextField()),
                ('fingerprint', models.CharField(max_length=64)),
                ('failure_class', models.TextField()),
                ('component', models.TextField()),
                ('step_key', models.TextField()),
                ('pattern', models.TextField(help_text='The message with everything that differs from letter to letter left out')),
                ('owner', models.TextField(default='')),
                ('runbook', models.TextField(default='')),
                ('ticket', models.TextField(default='')),
                ('taken_by_name', models.TextField(default='')),
                ('taken_at', models.DateTimeField(null=True)),
                ('parked_until', models.DateTimeField(null=True)),
                ('parked_above', models.PositiveIntegerField(null=True)),
                ('fixed_at', models.DateTimeField(null=True)),
                ('split_by', models.CharField(default='', max_length=20)),
                ('split_value', models.TextField(default='')),
                ('first_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('why', models.TextField(default='')),
                ('fixed_in', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='orchestrator.release')),
                ('merged_into', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='orchestrator.failuregroup')),
                ('split_from', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='splits', to='orchestrator.failuregroup')),
                ('taken_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.AddField(
            model_name='deadletter',
            name='group',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='letters', to='orchestrator.failuregroup'),
        ),
        migrations.AddField(
            model_name='operation',
            name='group',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='operations', to='orchestrator.failuregroup'),
        ),
        migrations.AddField(
            model_name='operation',
            name='person',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='operation',
            name='second',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='operationitem',
            name='letter',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='items', to='orchestrator.deadletter'),
        ),
        migrations.AddField(
            model_name='operationitem',
            name='operation',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='items', to='orchestrator.operation'),
        ),
        migrations.AddField(
            model_name='steppatch',
            name='person',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='steppatch',
            name='step',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='patches', to='orchestrator.step'),
        ),
        migrations.AddIndex(
            model_name='failuregroup',
            index=models.Index(fields=['unit_id', 'status', '-seen_at', '-id'], name='failure_group_unit'),
        ),
        migrations.AddConstraint(
            model_name='failuregroup',
            constraint=models.UniqueConstraint(condition=models.Q(('split_from__isnull', True)), fields=('unit_id', 'fingerprint'), name='one_group_per_unit_and_cause'),
        ),
        migrations.AddConstraint(
            model_name='failuregroup',
            constraint=models.UniqueConstraint(condition=models.Q(('split_from__isnull', False)), fields=('split_from', 'split_by', 'split_value'), name='one_split_per_group_and_value'),
        ),
        migrations.AddConstraint(
            model_name='failuregroup',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('merged_into__isnull', False), ('status', 'merged')), models.Q(models.Q(('status', 'merged'), _negated=True), ('merged_into__isnull', True)), _connector='OR'), name='merged_group_says_into_which'),
        ),
        migrations.AddConstraint(
            model_name='failuregroup',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'parked'), _negated=True), ('parked_until__isnull', False), ('parked_above__isnull', False), _connector='OR'), name='parked_group_has_a_wake_up'),
        ),
        migrations.AddConstraint(
            model_name='failuregroup',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status', 'fixed'), _negated=True), ('fixed_at__isnull', False), _connector='OR'), name='fixed_group_says_since_when'),
        ),
        migrations.AddIndex(
            model_name='operation',
            index=models.Index(fields=['group', '-created_at'], name='operation_group'),
        ),
        migrations.AddIndex(
            model_name='operation',
            index=models.Index(condition=models.Q(('status__in', ['running', 'paused', 'halted', 'cancelled'])), fields=['created_at'], name='operation_unfinished'),
        ),
        migrations.AddConstraint(
            model_name='operation',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['previewed', 'cancelled']), ('confirmed_at__isnull', False), _connector='OR'), name='operation_runs_only_when_confirmed'),
        ),
        migrations.AddConstraint(
            model_name='operation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('act', 'discard'), _negated=True), ('status__in', ['previewed', 'cancelled']), models.Q(('reason_code', ''), _negated=True), _connector='OR'), name='discarding_says_why'),
        ),
        migrations.AddConstraint(
            model_name='operation',
            constraint=models.CheckConstraint(condition=models.Q(('second__isnull', True), models.Q(('second', models.F('person')), _negated=True), _connector='OR'), name='second_person_is_another_one'),
        ),
        migrations.AddIndex(
            model_name='operationitem',
            index=models.Index(fields=['operation', 'status', 'place'], name='item_next'),
        ),
        migrations.AddConstraint(
            model_name='operationitem',
            constraint=models.UniqueConstraint(fields=('operation', 'letter'), name='one_item_per_operation_and_letter'),
        ),
        migrations.AddConstraint(
            model_name='operationitem',
            constraint=models.UniqueConstraint(fields=('operation', 'place'), name='one_item_per_place'),
        ),
        migrations.AddConstraint(
            model_name='operationitem',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'under_way')), fields=('letter',), name='one_letter_is_under_way_once'),
        ),
        migrations.AddConstraint(
            model_name='steppatch',
            constraint=models.UniqueConstraint(fields=('step', 'number'), name='one_patch_per_number'),
        ),
    ]
