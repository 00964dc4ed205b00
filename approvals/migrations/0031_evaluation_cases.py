"""What people put right, kept as candidates for evaluation."""

import audit.ids
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0030_test_items_lifecycle'),
    ]

    operations = [
        migrations.CreateModel(
            name='EvaluationCase',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('candidate', 'Candidate'), ('accepted', 'Accepted'), ('dismissed', 'Dismissed')], default='candidate', editable=False, max_length=10)),
                ('kind', models.CharField(choices=[('rejection', 'Rejection'), ('edit', 'Edit'), ('answer', 'Answer')], max_length=10)),
                ('unit_id', models.UUIDField()),
                ('revision', models.PositiveIntegerField()),
                ('digest', models.CharField(max_length=64)),
                ('snapshot', models.TextField()),
                ('title', models.TextField()),
                ('agent', models.TextField()),
                ('tool', models.TextField()),
                ('tool_version', models.TextField()),
                ('release', models.TextField(blank=True, default='')),
                ('policy_version', models.TextField()),
                ('before', models.TextField()),
                ('after', models.TextField(blank=True, default='')),
                ('reason_code', models.CharField(blank=True, choices=[('evidence_checked', 'Evidence checked, correct'), ('within_policy', 'Within policy'), ('wrong_amount', 'Wrong amount'), ('wrong_target', 'Wrong account or recipient'), ('missing_evidence', 'Evidence is missing'), ('not_allowed', 'Not allowed by policy'), ('duplicate', 'Already done'), ('other', 'Other (a note is needed)')], default='', max_length=30)),
                ('note', models.TextField(blank=True, default='')),
                ('kept_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('judged_by', models.TextField(default='')),
                ('judged_by_name', models.TextField(default='')),
                ('judged_at', models.DateTimeField(null=True)),
                ('why', models.TextField(blank=True, default='')),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='cases', to='approvals.approvalrequest')),
            ],
            options={
                'indexes': [models.Index(fields=['unit_id', '-kept_at', '-id'], name='case_by_time')],
                'constraints': [models.UniqueConstraint(fields=('request', 'kind', 'revision'), name='one_case_per_kind_and_revision'), models.CheckConstraint(condition=models.Q(models.Q(('judged_at', None), ('judged_by', ''), ('status', 'candidate')), models.Q(models.Q(('status', 'candidate'), _negated=True), models.Q(('judged_by', ''), _negated=True), models.Q(('why', ''), _negated=True), ('judged_at__isnull', False)), _connector='OR'), name='case_was_judged_by_somebody_for_a_reason_iff_no_candidate'), models.CheckConstraint(condition=models.Q(models.Q(('after', ''), ('kind', 'rejection')), models.Q(models.Q(('kind', 'rejection'), _negated=True), models.Q(('after', ''), _negated=True)), _connector='OR'), name='case_says_what_is_right_iff_no_rejection')],
            },
        ),
    ]
