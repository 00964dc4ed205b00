"""Glass that was broken, and bypasses with an end."""

import audit.ids
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0016_stops_index'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='BreakGlass',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('open', 'Open'), ('justified', 'Justified'), ('objected', 'Objected')], default='open', editable=False, max_length=10)),
                ('unit_id', models.UUIDField()),
                ('digest', models.CharField(max_length=64)),
                ('revision', models.PositiveIntegerField()),
                ('person_name', models.TextField()),
                ('reason', models.TextField()),
                ('broken_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('reviewed_by_name', models.TextField(default='')),
                ('reviewed_at', models.DateTimeField(null=True)),
                ('note', models.TextField(default='')),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='emergencies', to='approvals.approvalrequest')),
                ('reviewed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'break glass',
                'indexes': [models.Index(condition=models.Q(('status', 'open')), fields=['unit_id'], name='glass_open'), models.Index(fields=['-broken_at', '-id'], name='glass_by_time')],
                'constraints': [models.UniqueConstraint(fields=('request', 'revision'), name='glass_breaks_once_per_revision'), models.CheckConstraint(condition=models.Q(('reviewed_by', models.F('person')), _negated=True), name='broken_glass_is_reviewed_by_another_person'), models.CheckConstraint(condition=models.Q(models.Q(('reviewed_at', None), ('reviewed_by', None), ('status', 'open')), models.Q(models.Q(('status', 'open'), _negated=True), ('reviewed_at__isnull', False), ('reviewed_by__isnull', False)), _connector='OR'), name='broken_glass_has_a_reviewer_iff_not_open')],
            },
        ),
        migrations.CreateModel(
            name='Bypass',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('draft', 'Draft'), ('active', 'Active'), ('retired', 'Retired')], default='draft', editable=False, max_length=10)),
                ('activated_at', models.DateTimeField(editable=False, null=True)),
                ('name', models.SlugField(max_length=80)),
                ('tool', models.CharField(help_text='Exactly one tool', max_length=200)),
                ('agent', models.CharField(blank=True, help_text='Only for this agent; empty means every agent', max_length=200)),
                ('unit_id', models.UUIDField(blank=True, help_text='This business unit and below', null=True)),
                ('tier', models.CharField(choices=[('informational', 'informational: nobody signs'), ('customer_facing', 'customer-facing: one person signs')], max_length=20, verbose_name='lower the tier to')),
                ('minutes', models.PositiveSmallIntegerField(default=60, help_text='How long it lasts once it is activated: 1 to 240 minutes. It ends by itself.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(240)])),
                ('reason', models.CharField(help_text='At least 20 characters. It stands on every page while the bypass is in force.', max_length=300, validators=[django.core.validators.MinLengthValidator(20)])),
                ('activated_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('edited_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'bypasses',
                'abstract': False,
                'constraints': [models.UniqueConstraint(condition=models.Q(('status', 'active')), fields=('name',), name='one_active_bypass_per_name'), models.CheckConstraint(condition=models.Q(('activated_by__isnull', True), models.Q(('activated_by', models.F('edited_by')), _negated=True), _connector='OR'), name='active_bypass_was_activated_by_another_person'), models.CheckConstraint(condition=models.Q(('minutes__gte', 1), ('minutes__lte', 240)), name='bypass_lasts_1_minute_to_4_hours')],
            },
        ),
    ]
