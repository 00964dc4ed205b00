"""Alerts are told like everything else. Only the words change: nothing in the database does."""



from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0036_readings_asked_index'),
    ]

    operations = [
        migrations.AlterField(
            model_name='notice',
            name='kind',
            field=models.CharField(choices=[('waiting', 'Waits for you'), ('reminder', 'Still waits for you'), ('escalated', 'Was escalated to you'), ('overdue', 'Is overdue'), ('assigned', 'Was assigned to you'), ('decided', 'Was decided'), ('emergency', 'Was signed by one person alone'), ('disagreed', 'Was judged differently at the second look'), ('stopped', 'Was stopped'), ('lifted', 'Goes on: the stop was lifted'), ('alert', 'Alert'), ('alert_urgent', 'Critical alert'), ('alert_again', 'Alert that nobody has acknowledged'), ('alert_over', 'Alert is over')], max_length=12),
        ),
    ]
