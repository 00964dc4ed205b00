"""Pages of alerts: the list, one alert, the acts on it, and where else they show."""

import pytest
from django.urls import reverse

from orchestrator.models import Alert
from tests import make
from tests.pages.asking import browser_of


@pytest.fixture
def alert(unit):
    return make.alert(of=unit)


def text_of(answer):
    return answer.content.decode()


def act(alert, name):
    return reverse(f"alert_{name}", args=[alert.pk])


class TestTheList:
    def test_is_empty_in_words(self, as_ada):
        assert "Time-outs, unanswered sends" in text_of(as_ada.get(reverse("alerts")))

    def test_shows_what_was_seen_and_whose_it_is(self, alert, as_ada):
        Alert.objects.filter(pk=alert.pk).update(owner_name="olga")
        page = text_of(as_ada.get(reverse("alerts")))

        assert "80 % of the disk is full" in page
        assert "olga" in page
        assert "Critical" in page

    def test_has_tabs_and_filters_and_survives_a_broken_address(self, unit, alert, ada, as_ada):
        def rows(**asked):
            return text_of(as_ada.get(reverse("alerts"), asked)).count("data-row")

        assert [rows(tab=tab) for tab in ("open", "mine", "acknowledged", "resolved")] == [1, 0, 0, 0]
        assert [rows(severity="warning"), rows(severity="critical"), rows(unit=str(unit.pk))] == [0, 1, 1]
        assert as_ada.get(reverse("alerts"), {"tab": "x", "after": "!", "unit": "\0"}).status_code == 200

    def test_knows_what_is_mine_also_by_a_group(self, alert, ada, as_ada):
        from django.contrib.auth.models import Group

        desk = Group.objects.create(name="desk")
        ada.groups.add(desk)
        Alert.objects.filter(pk=alert.pk).update(owner_group=desk)

        assert text_of(as_ada.get(reverse("alerts"), {"tab": "mine"})).count("data-row") == 1

    def test_spells_out_what_is_invisible(self, unit, alert, as_ada):
        Alert.objects.filter(pk=alert.pk).update(title="pay\u202eyap <b>", detail="<script>x</script>")

        for address in (reverse("alerts"), alert.get_absolute_url(), reverse("work")):
            page = text_of(as_ada.get(address))
            assert "\u202e" not in page
            assert "<script>x" not in page


class TestEverywhereElse:
    def test_the_navigation_counts_what_is_open_and_not_muted(self, alert, as_ada):
        def counted():
            return 'Alerts <span class="count">1' in text_of(as_ada.get(reverse("work")))

        assert counted()
        as_ada.post(act(alert, "mutes"), {"mute-hours": "8", "mute-reason": "a known outage"})
        assert not counted()
        as_ada.post(act(alert, "unmutes"))
        assert counted()
        as_ada.post(act(alert, "acknowledgements"), {"acknowledge-reason": "I look"})
        assert not counted()

    def test_the_first_page_shows_what_is_open_first(self, unit, alert, as_ada):
        as_ada.post(act(alert, "acknowledgements"), {"acknowledge-reason": "I look"})
        make.alert("later", of=unit, severity="warning")

        page = text_of(as_ada.get(reverse("work"))).split('id="alerts"')[1]
        assert page.index("Later:") < page.index("Pager:")

    def test_the_go_to_box_finds_it(self, alert, as_ada):
        assert as_ada.get(reverse("go"), {"q": str(alert.pk)})["Location"] == alert.get_absolute_url()


class TestAnAlert:
    def test_is_handed_over_acknowledged_and_muted_with_its_story(self, unit, alert, as_ada):
        olga = make.person("olga", "view", of=unit)
        as_ada.post(act(alert, "handovers"), {"hand-to": f"person:{olga.pk}", "hand-reason": "her budget"})
        as_ada.post(act(alert, "acknowledgements"), {"acknowledge-reason": "I ask for more"})
        as_ada.post(act(alert, "mutes"), {"mute-hours": "8", "mute-reason": "known"})

        page = text_of(as_ada.get(alert.get_absolute_url()))
        for words in (
            "Owned by olga",
            "ada knows of it",
            "I ask for more",
            "Nobody is told until",
            "handed it to olga",
        ):
            assert words in page

    @pytest.mark.parametrize(
        ("name", "typed"),
        [("acknowledgements", {}), ("handovers", {"hand-to": "person:0"}), ("mutes", {"mute-hours": "8"})],
    )
    def test_answers_a_form_that_is_not_filled_in_with_the_form(self, alert, as_ada, name, typed):
        answer = as_ada.post(act(alert, name), typed)

        assert answer.status_code == 422
        assert 'class="fault"' in text_of(answer)

    @pytest.mark.parametrize("name", ["acknowledgements", "handovers", "mutes", "unmutes"])
    def test_is_changed_by_no_get(self, alert, as_ada, name):
        assert as_ada.get(act(alert, name)).status_code == 405

    def test_tells_whoever_may_only_look_who_can_act(self, alert, vera):
        assert "An operator of Finance" in text_of(browser_of(vera).get(alert.get_absolute_url()))

    def test_leads_into_the_trail_only_for_whoever_may_read_it(self, alert, as_vera, as_kay):
        assert alert.evidence not in text_of(as_vera.get(alert.get_absolute_url()))
        page = text_of(as_kay.get(alert.get_absolute_url()))
        assert alert.evidence in page
        assert as_kay.get(alert.evidence).status_code == 200
