"""Acceptable ranges, typed into the admin: two people, refused where they make no sense, shown on the page that uses them."""

import pytest
from django.urls import reverse

from orchestrator.models import ServiceLevel
from tests import make
from tests.pages.test_admin import administrator, verb

ADD = "admin:orchestrator_servicelevel_add"
RANGE = {"name": "nordics", "unit_id": "", "workflow": "", "figure": "success", "low": "95", "high": "100", "why": ""}


@pytest.fixture
def first(unit):
    return administrator("ann", unit)


@pytest.fixture
def second(unit):
    return administrator("bob", unit)


class TestARange:
    def test_is_drafted_by_one_put_in_force_by_another_and_named_where_it_is_used(self, first, second, unit):
        first.post(reverse(ADD), RANGE)
        draft = ServiceLevel.objects.get()
        verb(first, draft, "activate")
        draft.refresh_from_db()
        assert draft.status == "draft"

        verb(second, draft, "activate")
        draft.refresh_from_db()
        assert draft.status == "active"

        make.execution("failed")
        page = second.get(reverse("levels")).content.decode()
        assert "nordics v1" in page
        assert "at least 95" in page

    @pytest.mark.parametrize(
        ("wrong", "says"),
        [
            ({"low": "101", "high": "100"}, "It ends below where it begins."),
            ({"high": "99"}, "No success rate is too high"),
            ({"low": "-1"}, "greater than or equal to 0"),
        ],
    )
    def test_is_refused_with_the_remedy_at_its_field(self, first, wrong, says):
        assert says in first.post(reverse(ADD), {**RANGE, **wrong}).content.decode()
        assert not ServiceLevel.objects.exists()

    def test_of_another_unit_is_not_there(self, first):
        foreign = make._activated(ServiceLevel(name="theirs", low=1, high=100, unit_id=make.unit("elsewhere").pk))

        assert first.get(reverse("admin:orchestrator_servicelevel_change", args=[foreign.pk])).status_code == 302
