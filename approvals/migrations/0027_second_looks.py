"""Second looks, the seeds they are drawn by, and each policy's share."""

import audit.ids
import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0026_second_factors_guarded'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='DrawSeed',
            fields=[
                ('day', models.DateField(primary_key=True, serialize=False)),
                ('seed', models.CharField(max_length=64)),
                ('commitment', models.CharField(max_length=64)),
                ('committed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.CreateModel(
            name='SecondLook',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('open', 'Open'), ('agreed', 'Agreed'), ('disagreed', 'Disagreed'), ('expired', 'Expired')], default='open', editable=False, max_length=10)),
                ('unit_id', models.UUIDField()),
                ('first_verdict', models.CharField(choices=[('approve', 'Approve'), ('reject', 'Reject'), ('answer', 'Answered')], max_length=10)),
                ('first_codes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=30), size=None)),
                ('open_to', django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), null=True, size=None)),
                ('barred', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                ('tells', models.TextField(blank=True, default='')),
                ('opened_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('due_at', models.DateTimeField()),
                ('person_name', models.TextField(default='')),
                ('verdict', models.CharField(choices=[('approve', 'Approve'), ('reject', 'Reject'), ('answer', 'Answered')], default='', max_length=10)),
                ('reason_code', models.CharField(choices=[('evidence_checked', 'Evidence checked, correct'), ('within_policy', 'Within policy'), ('wrong_amount', 'Wrong amount'), ('wrong_target', 'Wrong account or recipient'), ('missing_evidence', 'Evidence is missing'), ('not_allowed', 'Not allowed by policy'), ('duplicate', 'Already done'), ('other', 'Other (a note is needed)')], default='', max_length=30)),
                ('note', models.TextField(blank=True, default='')),
                ('answers', models.JSONField(default=dict)),
                ('viewed', models.JSONField(default=dict)),
                ('looked_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name='approvalpolicy',
            name='second_look_percent',
            field=models.PositiveSmallIntegerField(blank=True, help_text="How many of a hundred decided requests somebody else judges again, blind. Empty means the installation's own share, 5 unless it says otherwise", null=True, validators=[django.core.validators.MaxValueValidator(100)]),
        ),
        migrations.AlterField(
            model_name='notice',
            name='kind',
            field=models.CharField(choices=[('waiting', 'Waits for you'), ('reminder', 'Still waits for you'), ('escalated', 'Was escalated to you'), ('overdue', 'Is overdue'), ('assigned', 'Was assigned to you'), ('decided', 'Was decided'), ('emergency', 'Was signed by one person alone'), ('disagreed', 'Was judged differently at the second look'), ('stopped', 'Was stopped'), ('lifted', 'Goes on: the stop was lifted')], max_length=12),
        ),
        migrations.AddConstraint(
            model_name='approvalpolicy',
            constraint=models.CheckConstraint(condition=models.Q(('second_look_percent', None), ('second_look_percent__lte', 100), _connector='OR'), name='policy_draws_at_most_every_request'),
        ),
        migrations.AddField(
            model_name='secondlook',
            name='person',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='secondlook',
            name='request',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='second_look', to='approvals.approvalrequest'),
        ),
        migrations.AddIndex(
            model_name='secondlook',
            index=models.Index(condition=models.Q(('status', 'open')), fields=['unit_id', 'due_at'], name='second_look_open'),
        ),
        migrations.AddIndex(
            model_name='secondlook',
            index=models.Index(fields=['unit_id', '-opened_at', '-id'], name='second_look_by_time'),
        ),
        migrations.AddConstraint(
            model_name='secondlook',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('looked_at', None), ('person', None), ('status__in', ['open', 'expired']), ('verdict', '')), models.Q(('status__in', ['agreed', 'disagreed']), ('looked_at__isnull', False), ('person__isnull', False), models.Q(('verdict', ''), _negated=True)), _connector='OR'), name='second_look_has_a_verdict_iff_somebody_looked'),
        ),
        migrations.AddConstraint(
            model_name='secondlook',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status__in', ['agreed', 'disagreed']), _negated=True), models.Q(('status', 'agreed'), ('verdict', models.F('first_verdict'))), models.Q(('status', 'disagreed'), models.Q(('verdict', models.F('first_verdict')), _negated=True)), _connector='OR'), name='second_look_agrees_iff_the_verdicts_are_one'),
        ),
    ]
