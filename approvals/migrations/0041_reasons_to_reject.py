"""One more reason to reject. Choices stand in the code, not in the database: nothing is written."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0040_result_of_what_is_done_by_hand'),
    ]

    operations = [
        migrations.AlterField(
            model_name='bulkoperation',
            name='reason_code',
            field=models.CharField(blank=True, choices=[('evidence_checked', 'Evidence checked, correct'), ('within_policy', 'Within policy'), ('wrong_amount', 'Wrong amount'), ('wrong_target', 'Wrong account or recipient'), ('missing_evidence', 'Evidence is missing'), ('not_allowed', 'Not allowed by policy'), ('unsettled', 'The answer given does not settle it'), ('duplicate', 'Duplicate, or already done'), ('other', 'Other')], default='', max_length=30),
        ),
        migrations.AlterField(
            model_name='decision',
            name='reason_code',
            field=models.CharField(choices=[('evidence_checked', 'Evidence checked, correct'), ('within_policy', 'Within policy'), ('wrong_amount', 'Wrong amount'), ('wrong_target', 'Wrong account or recipient'), ('missing_evidence', 'Evidence is missing'), ('not_allowed', 'Not allowed by policy'), ('unsettled', 'The answer given does not settle it'), ('duplicate', 'Duplicate, or already done'), ('other', 'Other')], max_length=30),
        ),
        migrations.AlterField(
            model_name='evaluationcase',
            name='reason_code',
            field=models.CharField(blank=True, choices=[('evidence_checked', 'Evidence checked, correct'), ('within_policy', 'Within policy'), ('wrong_amount', 'Wrong amount'), ('wrong_target', 'Wrong account or recipient'), ('missing_evidence', 'Evidence is missing'), ('not_allowed', 'Not allowed by policy'), ('unsettled', 'The answer given does not settle it'), ('duplicate', 'Duplicate, or already done'), ('other', 'Other')], default='', max_length=30),
        ),
        migrations.AlterField(
            model_name='secondlook',
            name='reason_code',
            field=models.CharField(choices=[('evidence_checked', 'Evidence checked, correct'), ('within_policy', 'Within policy'), ('wrong_amount', 'Wrong amount'), ('wrong_target', 'Wrong account or recipient'), ('missing_evidence', 'Evidence is missing'), ('not_allowed', 'Not allowed by policy'), ('unsettled', 'The answer given does not settle it'), ('duplicate', 'Duplicate, or already done'), ('other', 'Other')], default='', max_length=30),
        ),
    ]
