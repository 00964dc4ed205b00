"""Test items, the policy that allows them, and the request that opens nothing."""

import audit.ids
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0028_second_looks_lifecycle'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='SeededItem',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('waiting', 'Waiting'), ('caught', 'Caught'), ('missed', 'Missed'), ('passed', 'Passed'), ('objected', 'Objected'), ('lapsed', 'Lapsed')], default='waiting', editable=False, max_length=10)),
                ('unit_id', models.UUIDField()),
                ('source_id', models.UUIDField(help_text='The past action whose arguments were copied')),
                ('expected', models.CharField(choices=[('bad', 'Known bad: it has to be refused'), ('good', 'Known good: it has to be approved')], max_length=4)),
                ('hint', models.CharField(max_length=500, validators=[django.core.validators.MinLengthValidator(10)])),
                ('changes', models.JSONField(default=list)),
                ('written_by_name', models.TextField()),
                ('written_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('act', models.CharField(blank=True, default='', max_length=10)),
                ('ended_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name='approvalpolicy',
            name='test_items',
            field=models.BooleanField(db_default=False, default=False, help_text='Administrators may put test items in front of the reviewers. They look like any other request, are never carried out, and are revealed right after the decision'),
        ),
        migrations.AddField(
            model_name='approvalrequest',
            name='is_test',
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        AddConstraintNotValid(
            model_name='approvalrequest',
            constraint=models.CheckConstraint(condition=models.Q(('is_test', False), models.Q(('status', 'used'), _negated=True), _connector='OR'), name='test_request_opens_nothing'),
        ),
        migrations.AddField(
            model_name='seededitem',
            name='request',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='seeded', to='approvals.approvalrequest'),
        ),
        migrations.AddField(
            model_name='seededitem',
            name='written_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='seededitem',
            index=models.Index(fields=['unit_id', '-written_at', '-id'], name='test_item_by_time'),
        ),
        migrations.AddConstraint(
            model_name='seededitem',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('status', 'waiting')), models.Q(models.Q(('status', 'waiting'), _negated=True), ('ended_at__isnull', False)), _connector='OR'), name='test_item_has_an_end_iff_it_waits_no_more'),
        ),
    ]
