"""Edits, questions and their answers; a request may be sent back, and a person may give the result."""

import audit.ids
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0004_definition_guards'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Edit',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('person_name', models.TextField()),
                ('note', models.TextField(blank=True, default='')),
                ('revision', models.PositiveIntegerField(help_text='The revision this edit made')),
                ('before', models.TextField()),
                ('before_digest', models.CharField(max_length=64)),
                ('after', models.TextField()),
                ('after_digest', models.CharField(max_length=64)),
                ('changes', models.JSONField(help_text='Each value that differs: label, before, after')),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.CreateModel(
            name='Remark',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('question', 'Question'), ('reply', 'Reply')], max_length=10)),
                ('author', models.TextField(help_text='Key of the person or agent')),
                ('author_name', models.TextField()),
                ('text', models.TextField()),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='replaces',
            field=models.UUIDField(help_text='The request that was void, so that this one had to be asked', null=True),
        ),
        migrations.RemoveConstraint(
            model_name='approvalrequest',
            name='request_resolved_at_iff_not_pending',
        ),
        migrations.RemoveConstraint(
            model_name='approvalrequest',
            name='one_live_request_per_subject',
        ),
        migrations.AlterField(
            model_name='approvalrequest',
            name='status',
            field=models.CharField(choices=[('pending', 'Pending'), ('sent_back', 'Sent Back'), ('approved', 'Approved'), ('used', 'Used'), ('rejected', 'Rejected'), ('answered', 'Answered'), ('expired', 'Expired'), ('withdrawn', 'Withdrawn'), ('void', 'Void')], default='pending', editable=False, max_length=10),
        ),
        migrations.AlterField(
            model_name='decision',
            name='verdict',
            field=models.CharField(choices=[('approve', 'Approve'), ('reject', 'Reject'), ('answer', 'Answered')], max_length=10),
        ),
        migrations.AddConstraint(
            model_name='approvalrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('resolved_at__isnull', True), ('status__in', ('pending', 'sent_back'))), models.Q(models.Q(('status__in', ('pending', 'sent_back')), _negated=True), ('resolved_at__isnull', False)), _connector='OR'), name='request_resolved_at_iff_decided'),
        ),
        migrations.AddConstraint(
            model_name='approvalrequest',
            constraint=models.UniqueConstraint(condition=models.Q(('status__in', ['pending', 'sent_back', 'approved'])), fields=('subject_id',), name='one_live_request_per_subject'),
        ),
        migrations.AddField(
            model_name='edit',
            name='person',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='edit',
            name='request',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='edits', to='approvals.approvalrequest'),
        ),
        migrations.AddField(
            model_name='remark',
            name='request',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='remarks', to='approvals.approvalrequest'),
        ),
        migrations.AddConstraint(
            model_name='edit',
            constraint=models.UniqueConstraint(fields=('request', 'revision'), name='one_edit_per_revision'),
        ),
        migrations.AddIndex(
            model_name='remark',
            index=models.Index(fields=['request', 'at'], name='remark_request'),
        ),
    ]
