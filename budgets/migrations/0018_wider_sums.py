"""Sums of tokens, and of money in small units, outgrow ten digits before the point. A wider numeric rewrites no row; only
the catalogue changes, for an instant. Back again it is looked at row by row, and refused where a sum no longer fits.
"""

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import migrations, models

LEAST = MinValueValidator(Decimal("0.0000000001"))
ASSUMED = "What is reserved for a step or call that names no most of its own. Empty: a hundredth of the limit"


def wide(**more):
    return models.DecimalField(max_digits=30, decimal_places=10, **more)


class Migration(migrations.Migration):
    # One table after the other: who settles takes them in another order.
    atomic = False
    dependencies = [("budgets", "0017_ledger_by_moment")]

    operations = [
        migrations.AlterField("block", "needed", wide()),
        migrations.AlterField("budget", "assumed", wide(blank=True, null=True, validators=[LEAST], help_text=ASSUMED)),
        migrations.AlterField(
            "budget", "limit", wide(validators=[LEAST], help_text="What may be used in one window")
        ),
        migrations.AlterField("budgetday", "spent", wide()),
        migrations.AlterField("budgetwindow", "limit", wide()),
        migrations.AlterField("budgetwindow", "reserved", wide(default=0)),
        migrations.AlterField("reservation", "amount", wide()),
    ]
