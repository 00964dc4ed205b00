"""The world of the API tests: one unit, its people, an agent with a token, three tools."""

import pytest
from django.contrib.auth import get_user_model

from audit.actors import system
from audit.definitions import activate, draft
from budgets.models import BusinessUnit

IMPORTER = system("import")


@pytest.fixture
def unit(db):
    return make_unit("support", "Customer support")


@pytest.fixture
def other_unit(db):
    return make_unit("elsewhere", "Elsewhere")


@pytest.fixture
def owner(db):
    return get_user_model().objects.create_user("owner", password="a long enough password")


def make_unit(name, title):
    unit = BusinessUnit(name=name, title=title, currency="USD")
    draft(unit, by=IMPORTER)
    activate(unit, by=IMPORTER)
    return BusinessUnit.objects.get(pk=unit.pk)
