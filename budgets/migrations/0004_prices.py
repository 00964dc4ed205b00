"""Contract prices; and what a ledger line says of how its amount was worked out."""

import audit.ids
import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from audit.lifecycle import guard_sql

GUARD = guard_sql("budgets_price", ["active>retired", "draft>active", "draft>retired"], ["draft"])


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0002_append_only'),
        ('budgets', '0003_every_editor'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Price',
            fields=[
                ('id', models.UUIDField(default=audit.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('status', models.CharField(choices=[('draft', 'Draft'), ('active', 'Active'), ('retired', 'Retired')], default='draft', editable=False, max_length=10)),
                ('editors', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), db_default=[], default=list, editable=False, size=None)),
                ('activated_at', models.DateTimeField(editable=False, null=True)),
                ('name', models.SlugField(help_text='Short name of this price: gpt-4-1-frame-2026', max_length=80)),
                ('version', models.PositiveIntegerField(default=1)),
                ('kind', models.CharField(choices=[('model', 'Model, per million tokens'), ('tool', 'Tool, per call'), ('review', "Reviewers' time, per hour")], default='model', max_length=10)),
                ('subject', models.CharField(blank=True, help_text="The model's or tool's name as calls report it. Empty for reviewers' time", max_length=200)),
                ('provider', models.CharField(blank=True, help_text='As calls report it. Empty means whichever', max_length=100)),
                ('unit_id', models.UUIDField(blank=True, help_text='Empty means every business unit', null=True)),
                ('currency', models.CharField(help_text='ISO 4217 code', max_length=3)),
                ('input', models.DecimalField(blank=True, decimal_places=10, help_text='Per million input tokens', max_digits=20, null=True, validators=[django.core.validators.MinValueValidator(0)])),
                ('cached_input', models.DecimalField(blank=True, decimal_places=10, help_text='Per million input tokens read from a cache. Empty: like input', max_digits=20, null=True, validators=[django.core.validators.MinValueValidator(0)])),
                ('cache_write', models.DecimalField(blank=True, decimal_places=10, help_text='Per million input tokens written to a cache. Empty: like input', max_digits=20, null=True, validators=[django.core.validators.MinValueValidator(0)])),
                ('output', models.DecimalField(blank=True, decimal_places=10, help_text='Per million output tokens, reasoning included', max_digits=20, null=True, validators=[django.core.validators.MinValueValidator(0)])),
                ('batch_percent', models.PositiveSmallIntegerField(blank=True, help_text='Of these rates, for batch calls', null=True)),
                ('per_call', models.DecimalField(blank=True, decimal_places=10, help_text='Per call of a tool', max_digits=20, null=True, validators=[django.core.validators.MinValueValidator(0)])),
                ('per_hour', models.DecimalField(blank=True, decimal_places=10, help_text="Per hour of a reviewer's time", max_digits=20, null=True, validators=[django.core.validators.MinValueValidator(0)])),
                ('valid_from', models.DateTimeField(help_text='What was used before is priced otherwise')),
                ('valid_until', models.DateTimeField(blank=True, help_text='Empty means until a later price begins', null=True)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.AddField(
            model_name='ledgerentry',
            name='cache_write_tokens',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='ledgerentry',
            name='cached_input_tokens',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='ledgerentry',
            name='corrects',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='corrections', to='budgets.ledgerentry'),
        ),
        migrations.AddField(
            model_name='ledgerentry',
            name='is_batch',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='ledgerentry',
            name='kind',
            field=models.CharField(choices=[('model', 'Model call'), ('tool', 'Tool call'), ('review', "Reviewer's time"), ('correction', 'Correction of another line')], db_default='model', default='model', max_length=10),
        ),
        migrations.AddField(
            model_name='ledgerentry',
            name='priced_by',
            field=models.TextField(db_default='', default=''),
        ),
        migrations.AddField(
            model_name='ledgerentry',
            name='provider',
            field=models.TextField(db_default='', default=''),
        ),
        migrations.AddField(
            model_name='ledgerentry',
            name='rates',
            field=models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict),
        ),
        migrations.AddField(
            model_name='ledgerentry',
            name='reasoning_tokens',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='ledgerentry',
            name='seconds',
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='ledgerentry',
            name='why',
            field=models.TextField(db_default='', default=''),
        ),
        migrations.AddField(
            model_name='price',
            name='activated_by',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='price',
            name='edited_by',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='price',
            index=models.Index(condition=models.Q(('status', 'active')), fields=['kind', 'subject'], name='price_in_force'),
        ),
        migrations.AddConstraint(
            model_name='price',
            constraint=models.UniqueConstraint(condition=models.Q(('status', 'active')), fields=('name',), name='one_active_price_per_name'),
        ),
        migrations.AddConstraint(
            model_name='price',
            constraint=models.CheckConstraint(condition=models.Q(('activated_by__isnull', True), models.Q(('activated_by', models.F('edited_by')), _negated=True), _connector='OR'), name='active_price_was_activated_by_another_person'),
        ),
        migrations.AddConstraint(
            model_name='price',
            constraint=models.CheckConstraint(condition=models.Q(('activated_by__isnull', True), models.Q(('editors__contains', [models.F('activated_by')]), _negated=True), _connector='OR'), name='active_price_was_never_edited_by_its_activator'),
        ),
        migrations.AddConstraint(
            model_name='price',
            constraint=models.UniqueConstraint(fields=('name', 'version'), name='one_price_per_name_and_version'),
        ),
        migrations.AddConstraint(
            model_name='price',
            constraint=models.CheckConstraint(condition=models.Q(('valid_until__isnull', True), ('valid_until__gt', models.F('valid_from')), _connector='OR'), name='price_ends_after_it_begins'),
        ),
        migrations.AddConstraint(
            model_name='price',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('input__isnull', False), ('kind', 'model'), ('output__isnull', False), models.Q(('subject', ''), _negated=True)), models.Q(('kind', 'tool'), ('per_call__isnull', False), models.Q(('subject', ''), _negated=True)), models.Q(('kind', 'review'), ('per_hour__isnull', False), ('subject', '')), _connector='OR'), name='price_has_the_rates_of_its_kind'),
        ),
        migrations.RunSQL(*GUARD),
    ]
