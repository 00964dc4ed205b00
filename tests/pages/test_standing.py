"""The page of delegations and absences, and how the review page names both people."""

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from approvals.models import Absence, Delegation
from approvals.operations import delegations
from tests import make
from tests.pages.test_admin import hidden


@pytest.fixture
def dates():
    now = timezone.localtime()
    return {
        "starts_at": f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M}",
        "ends_at": f"{now + timedelta(days=3):%Y-%m-%dT%H:%M}",
    }


def text(answer):
    return answer.content.decode()


class TestPage:
    def test_is_under_the_persons_menu(self, as_grace):
        assert f'href="{reverse("standing")}"' in text(as_grace.get("/"))

    def test_names_the_zone_in_which_times_are_typed(self, as_grace):
        zones = {"theme": "system", "density": "compact", "time_zone": "Asia/Tokyo"}

        before = text(as_grace.get(reverse("standing")))
        as_grace.post(reverse("preferences"), zones)

        assert "Times are in UTC" in before
        assert "Times are in Asia/Tokyo" in text(as_grace.get(reverse("standing")))

    def test_reads_times_in_the_zone_that_it_named_when_another_was_chosen_meanwhile(self, as_grace):
        as_grace.post(reverse("preferences"), {"theme": "system", "density": "compact", "time_zone": "Asia/Tokyo"})
        page = text(as_grace.get(reverse("standing")))
        as_grace.post(
            reverse("preferences"), {"theme": "system", "density": "compact", "time_zone": "America/New_York"}
        )
        away = {"zone": hidden(page, "zone"), "away_from": "2126-01-01T09:00", "away_until": "2126-01-01T08:00"}

        refused = text(as_grace.post(reverse("standing_absences"), away))
        as_grace.post(reverse("standing_absences"), away | {"away_until": "2126-01-02T09:00"})

        assert "Times are in Asia/Tokyo" in refused
        assert hidden(refused, "zone") == "Asia/Tokyo"
        assert Absence.objects.get().away_from == datetime(2126, 1, 1, 0, tzinfo=UTC)

    @pytest.mark.parametrize("zone", ["Mars/Base", "../UTC", "\0", ""])
    def test_of_no_zone_reads_them_in_ones_own(self, as_grace, zone):
        as_grace.post(reverse("preferences"), {"theme": "system", "density": "compact", "time_zone": "Asia/Tokyo"})

        as_grace.post(
            reverse("standing_absences"),
            {"zone": zone, "away_from": "2126-01-01T09:00", "away_until": "2126-01-02T09:00"},
        )

        assert Absence.objects.get().away_from == datetime(2126, 1, 1, 0, tzinfo=UTC)

    def test_lends_lists_and_takes_back(self, as_grace, as_vera, vera, unit, dates):
        as_grace.post(reverse("standing_delegations"), {"unit": unit.pk, "to": vera.pk, **dates})

        row = Delegation.objects.get()
        assert "vera" in text(as_grace.get(reverse("standing")))
        assert "You sign for" in text(as_vera.get(reverse("standing")))

        as_grace.post(reverse("standing_revocation", args=[row.pk]))
        assert "Nobody signs for you" in text(as_grace.get(reverse("standing")))

    def test_keeps_what_was_typed_when_it_is_refused(self, as_grace, vera, unit, dates):
        answer = as_grace.post(
            reverse("standing_delegations"), {"unit": unit.pk, "to": vera.pk, **dates, "ends_at": dates["starts_at"]}
        )

        assert answer.status_code == 422
        assert "The end must lie after the beginning" in text(answer)
        assert f'<option value="{vera.pk}" selected>' in text(answer)

    @pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
    def test_takes_no_time_that_another_zone_cannot_show(self, as_grace, as_vera, vera, unit, zone):
        as_grace.post(reverse("preferences"), {"theme": "system", "density": "compact", "time_zone": zone})
        as_vera.post(reverse("preferences"), {"theme": "system", "density": "compact", "time_zone": "Asia/Tokyo"})
        lent = {"unit": unit.pk, "to": vera.pk, "starts_at": "9999-12-01T00:00", "ends_at": "9999-12-31T23:59"}
        away = {"stand_in": vera.pk, "away_from": "9999-12-01T00:00", "away_until": "9999-12-31T23:59"}

        answers = [
            as_grace.post(reverse("standing_delegations"), lent),
            as_grace.post(reverse("standing_absences"), away),
        ]

        assert [answer.status_code for answer in answers] == [422, 422]
        assert all("Choose a time between 1970 and 2199." in text(answer) for answer in answers)
        assert as_vera.get(reverse("standing")).status_code == 200

    def test_offers_no_delegation_to_whoever_does_not_review(self, as_vera):
        assert "Delegate your signature" not in text(as_vera.get(reverse("standing")))

    def test_announces_and_ends_an_absence(self, as_grace, linus, dates):
        as_grace.post(
            reverse("standing_absences"),
            {"away_from": dates["starts_at"], "away_until": dates["ends_at"], "stand_in": linus.pk},
        )
        row = Absence.objects.get()
        assert "linus" in text(as_grace.get(reverse("standing")))

        as_grace.post(reverse("standing_return", args=[row.pk]))
        assert "No absence is announced" in text(as_grace.get(reverse("standing")))

    def test_of_others_cannot_be_changed(self, as_grace, as_linus, vera, unit, dates):
        as_grace.post(reverse("standing_delegations"), {"unit": unit.pk, "to": vera.pk, **dates})

        assert as_linus.post(reverse("standing_revocation", args=[Delegation.objects.get().pk])).status_code == 404


class TestReview:
    def test_says_for_whom_one_signs_and_who_signed_for_whom(self, as_vera, as_grace, unit):
        people = {name: make.person(name) for name in ("vera", "grace", "ada")}
        now = timezone.now()
        delegations.delegate(
            unit_id=unit.pk,
            to=people["vera"].pk,
            starts_at=now,
            ends_at=now + timedelta(days=1),
            by=make.actor(people["grace"]),
        )
        request = make.request(by=make.actor(people["ada"]))
        assert "You sign for grace" in text(as_vera.get(request.get_absolute_url()))

        voice = {"digest": request.digest, "revision": 1, "verdict": "approve", "reason_code": "evidence_checked"}
        as_vera.post(reverse("approval_decisions", args=[request.pk]), voice)

        assert 'vera <span class="muted">for grace' in text(as_grace.get(request.get_absolute_url()))
