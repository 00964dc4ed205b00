"""Contract prices, typed into the admin: drafted by one person, put in force by another, refused where they make no sense."""

import json
from datetime import UTC, datetime

import pytest
from django.urls import reverse

from audit.models import AuditEvent
from budgets.models import Price
from tests import make
from tests.pages.test_admin import address, administrator, hidden, verb

ADD = "admin:budgets_price_add"
MODEL = {
    "name": "frame-2026", "kind": "model", "subject": "gpt-4.1", "provider": "", "unit_id": "", "currency": "EUR",
    "input": "1.50", "output": "6", "cached_input": "", "cache_write": "", "batch_percent": "50", "per_call": "", "per_hour": "",
    "valid_from_0": "2026-01-01", "valid_from_1": "00:00", "valid_until_0": "", "valid_until_1": "",
}  # fmt: skip


@pytest.fixture
def first(unit):
    return administrator("ann", unit)


@pytest.fixture
def second(unit):
    return administrator("bob", unit)


class TestAPrice:
    def test_is_drafted_by_one_and_put_in_force_by_another(self, first, second):
        first.post(reverse(ADD), MODEL)
        draft = Price.objects.get()
        verb(first, draft, "activate")
        draft.refresh_from_db()
        assert draft.status == "draft"

        verb(second, draft, "activate")

        draft.refresh_from_db()
        assert (draft.status, draft.rates["batch_percent"]) == ("active", 50)

    def test_is_the_same_in_whichever_zone_its_times_were_typed(self, first, second):
        first.post(reverse("preferences"), {"theme": "system", "density": "compact", "time_zone": "Europe/Oslo"})

        first.post(reverse(ADD), MODEL)
        verb(second, Price.objects.get(), "activate")

        told = AuditEvent.objects.filter(object_id=Price.objects.get().pk).order_by("seq")
        assert Price.objects.get().valid_from == datetime(2025, 12, 31, 23, tzinfo=UTC)
        assert len({json.loads(event.data)["digest"] for event in told}) == 1, "what was drafted is what was activated"

    @pytest.mark.parametrize(("chosen", "named"), [("", "UTC"), ("Europe/Oslo", "Europe/Oslo")])
    def test_says_in_which_zone_its_times_are_typed(self, first, chosen, named):
        first.post(reverse("preferences"), {"theme": "system", "density": "compact", "time_zone": chosen})

        page = first.get(reverse(ADD)).content.decode()

        assert f"What was used before is priced otherwise. In {named}, as your preferences say" in page

    def test_begins_in_the_zone_that_its_form_named_when_another_was_chosen_meanwhile(self, first):
        first.post(reverse("preferences"), {"theme": "system", "density": "compact", "time_zone": "Asia/Tokyo"})
        page = first.get(reverse(ADD)).content.decode()
        first.post(reverse("preferences"), {"theme": "system", "density": "compact", "time_zone": "America/New_York"})
        typed = MODEL | {"zone": hidden(page, "zone")}

        again = first.post(reverse(ADD), typed | {"currency": "EURO"}).content.decode()
        first.post(reverse(ADD), typed)

        assert "In Asia/Tokyo, as your preferences say" in again
        assert hidden(again, "zone") == "Asia/Tokyo"
        assert Price.objects.get().valid_from == datetime(2025, 12, 31, 15, tzinfo=UTC)

    @pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
    def test_ends_at_no_time_that_another_zone_cannot_show(self, first, second, zone):
        first.post(reverse("preferences"), {"theme": "system", "density": "compact", "time_zone": zone})
        second.post(reverse("preferences"), {"theme": "system", "density": "compact", "time_zone": "Asia/Tokyo"})

        page = first.post(reverse(ADD), MODEL | {"valid_until_0": "9999-12-31", "valid_until_1": "23:59"})

        assert "Choose a time between 1970 and 2199." in page.content.decode()
        assert second.get(reverse("admin:budgets_price_changelist")).status_code == 200

    def test_is_taken_out_of_force_by_two_with_a_version_that_ends_and_not_by_one(self, first, second):
        first.post(reverse(ADD), MODEL)
        price = Price.objects.get()
        verb(second, price, "activate")

        page = second.post(address(price, "retire"), {"why": "too dear"}, follow=True).content.decode()
        price.refresh_from_db()
        assert price.status == "active"
        assert "One person alone cannot take this price out of force." in page
        assert 'data-verb="retire"' not in second.get(address(price, "change")).content.decode()

        verb(first, price, "version")
        ends = {**MODEL, "valid_until_0": "2026-06-01", "valid_until_1": "00:00"}
        first.post(address(Price.objects.get(version=2), "change"), ends)
        verb(second, Price.objects.get(version=2), "activate")

        assert list(Price.objects.order_by("version").values_list("status", flat=True)) == ["retired", "active"]

    @pytest.mark.parametrize(
        ("wrong", "says"),
        [
            ({"output": ""}, "A price of this kind needs it"),
            ({"per_call": "1"}, "This rate means nothing here"),
            ({"subject": ""}, "Name the model or tool"),
            ({"kind": "review", "input": "", "output": "", "batch_percent": "", "per_hour": "60"}, "has no name"),
            ({"currency": "eur"}, "ISO 4217"),
            ({"currency": "E1R"}, "ISO 4217"),
            ({"input": "-1"}, "greater than or equal to 0"),
            ({"valid_until_0": "2025-01-01", "valid_until_1": "00:00"}, "ends before it begins"),
        ],
    )
    def test_is_refused_with_the_remedy_at_its_field(self, first, wrong, says):
        page = first.post(reverse(ADD), {**MODEL, **wrong}).content.decode()

        assert says in page
        assert not Price.objects.exists()

    def test_of_another_unit_is_not_there(self, first):
        foreign = Price(
            name="theirs", subject="m", currency="EUR", input=1, output=1, valid_from="2026-01-01T00:00Z",
            unit_id=make.unit("elsewhere").pk,
        )  # fmt: skip
        make._activated(foreign)

        assert first.get(reverse("admin:budgets_price_change", args=[foreign.pk])).status_code == 302
