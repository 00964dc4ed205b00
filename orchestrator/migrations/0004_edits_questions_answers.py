"""What the agent had proposed stays beside what a reviewer made of it."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orchestrator', '0003_every_editor'),
    ]

    operations = [
        migrations.AddField(
            model_name='action',
            name='proposed',
            field=models.TextField(db_default='', default='', help_text='The arguments as the agent proposed them, once a reviewer has edited them'),
        ),
        migrations.AlterField(
            model_name='action',
            name='status',
            field=models.CharField(choices=[('proposed', 'Proposed'), ('held', 'Held'), ('sent_back', 'Sent Back'), ('granted', 'Granted'), ('redeemed', 'Redeemed'), ('succeeded', 'Succeeded'), ('failed', 'Failed'), ('unknown', 'Unknown'), ('denied', 'Denied'), ('rejected', 'Rejected'), ('answered', 'Answered'), ('expired', 'Expired'), ('withdrawn', 'Withdrawn'), ('void', 'Void'), ('undone', 'Undone')], default='proposed', editable=False, max_length=20),
        ),
    ]
