"""The reason of whoever gives a result themselves. Choices stand in the code, not in the database: nothing is written."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0044_decision_result'),
    ]

    operations = [
        migrations.AlterField(
            model_name='bulkoperation',
            name='reason_code',
            field=models.CharField(blank=True, choices=[('evidence_checked', 'Evidence checked, correct'), ('within_policy', 'Within policy'), ('wrong_amount', 'Wrong amount'), ('wrong_target', 'Wrong account or recipient'), ('missing_evidence', 'Evidence is missing'), ('question_not_answered', 'Question not answered'), ('not_allowed', 'Not allowed by policy'), ('duplicate', 'Duplicate, or already done'), ('done_by_hand', 'Done by hand'), ('other', 'Other')], default='', max_length=30),
        ),
        migrations.AlterField(
            model_name='decision',
            name='reason_code',
            field=models.CharField(choices=[('evidence_checked', 'Evidence checked, correct'), ('within_policy', 'Within policy'), ('wrong_amount', 'Wrong amount'), ('wrong_target', 'Wrong account or recipient'), ('missing_evidence', 'Evidence is missing'), ('question_not_answered', 'Question not answered'), ('not_allowed', 'Not allowed by policy'), ('duplicate', 'Duplicate, or already done'), ('done_by_hand', 'Done by hand'), ('other', 'Other')], max_length=30),
        ),
        migrations.AlterField(
            model_name='evaluationcase',
            name='reason_code',
            field=models.CharField(blank=True, choices=[('evidence_checked', 'Evidence checked, correct'), ('within_policy', 'Within policy'), ('wrong_amount', 'Wrong amount'), ('wrong_target', 'Wrong account or recipient'), ('missing_evidence', 'Evidence is missing'), ('question_not_answered', 'Question not answered'), ('not_allowed', 'Not allowed by policy'), ('duplicate', 'Duplicate, or already done'), ('done_by_hand', 'Done by hand'), ('other', 'Other')], default='', max_length=30),
        ),
        migrations.AlterField(
            model_name='secondlook',
            name='reason_code',
            field=models.CharField(choices=[('evidence_checked', 'Evidence checked, correct'), ('within_policy', 'Within policy'), ('wrong_amount', 'Wrong amount'), ('wrong_target', 'Wrong account or recipient'), ('missing_evidence', 'Evidence is missing'), ('question_not_answered', 'Question not answered'), ('not_allowed', 'Not allowed by policy'), ('duplicate', 'Duplicate, or already done'), ('done_by_hand', 'Done by hand'), ('other', 'Other')], default='', max_length=30),
        ),
    ]
