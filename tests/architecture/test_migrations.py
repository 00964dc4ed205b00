"""The migrations say what the models say."""

import pytest
from django.core.management import call_command


@pytest.mark.django_db
class TestMigrations:
    def test_are_complete(self) -> None:
        call_command("makemigrations", check=True, dry_run=True)
