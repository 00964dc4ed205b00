"""The ledger's new checks and the index of its corrections, made without holding up whoever writes a line meanwhile."""

from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [('budgets', '0004_prices')]

    operations = [
        AddIndexConcurrently(
            model_name='ledgerentry',
            index=models.Index(condition=models.Q(('corrects__isnull', False)), fields=['corrects'], name='ledger_corrections'),
        ),
        AddConstraintNotValid(
            model_name='ledgerentry',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('corrects__isnull', False), ('kind', 'correction'), models.Q(('why', ''), _negated=True)), models.Q(models.Q(('kind', 'correction'), _negated=True), ('corrects__isnull', True)), _connector='OR'), name='only_a_correction_corrects_and_says_why'),
        ),
        ValidateConstraint('ledgerentry', 'only_a_correction_corrects_and_says_why'),
        AddConstraintNotValid(
            model_name='ledgerentry',
            constraint=models.CheckConstraint(condition=models.Q(('input_tokens__gte', models.F('cached_input_tokens')), ('cached_input_tokens__isnull', True), _connector='OR'), name='parts_of_the_input_are_not_more_than_the_input'),
        ),
        ValidateConstraint('ledgerentry', 'parts_of_the_input_are_not_more_than_the_input'),
        AddConstraintNotValid(
            model_name='ledgerentry',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('basis', 'estimated'), _negated=True), models.Q(('priced_by', ''), _negated=True), _connector='OR'), name='estimated_cost_says_by_which_rates'),
        ),
        ValidateConstraint('ledgerentry', 'estimated_cost_says_by_which_rates'),
    ]
