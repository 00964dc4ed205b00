"""A budget may be of one release. The functions that reserve and count learn of it by a last argument that may be left out.

So processes of the version before go on while this is rolled out: what they ask for belongs to no release.
"""

from importlib import import_module

from django.db import migrations, models

FUNCTIONS = import_module("budgets.migrations.0009_budget_functions")
RESERVE = import_module("budgets.migrations.0011_exceptions").RESERVE
RELEASE = "p_release text DEFAULT ''"
# Without the column such a budget would cover everything. Under a workflow that cannot be it covers nothing, and is found.
TO_NOTHING = "UPDATE budgets_budget SET workflow = left('only release ' || release, 200) WHERE release <> ''"


def of_release(function: str) -> str:
    """The same function, which also looks at the release."""
    for before in ("p_requester text)", "p_assume boolean)", "p_tokens numeric)"):
        function = function.replace(before, f"{before[:-1]}, {RELEASE})")
    return function.replace("p_agent, p_requester)", "p_agent, p_requester, p_release)").replace(
        "b.requester IN ('', p_requester)", "b.requester IN ('', p_requester) AND b.release IN ('', p_release)"
    )


def wider(drop: str) -> str:
    """How the new one is dropped."""
    return drop.replace(")", ", text)")


def in_place_of(function: str, drop: str) -> tuple[str, str]:
    """The new one in place of the old one, and back."""
    return f"{drop}; {of_release(function)}", f"{wider(drop)}; {function}"


class Migration(migrations.Migration):
    dependencies = [("budgets", "0012_ledger_call")]
    operations = [
        migrations.AddField(
            model_name="budget",
            name="release",
            field=models.CharField(
                blank=True, db_default="", default="", max_length=64, verbose_name="release",
                help_text="The digest, as the page of an execution shows it. Empty means every release, together",
            ),
        ),
        migrations.RunSQL(migrations.RunSQL.noop, TO_NOTHING),
        migrations.RunSQL(*in_place_of(*FUNCTIONS.COVERING)),
        migrations.RunSQL(*in_place_of(*FUNCTIONS.LOCKED)),
        migrations.RunSQL(*in_place_of(RESERVE, FUNCTIONS.RESERVE[1])),
        migrations.RunSQL(*in_place_of(*FUNCTIONS.SPEND)),
    ]  # fmt: skip
