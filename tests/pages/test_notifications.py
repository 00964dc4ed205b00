"""How a person is told, and which systems are, on the pages."""

import json
import re
from datetime import time

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from approvals.models import NotificationChoice, WebhookEndpoint
from approvals.notifying import webhooks
from audit.models import AuditEvent
from tests import make
from tests.pages.asking import browser_of
from tests.pages.test_admin import as_opened, hidden

CHOSEN = {"pace": "hourly", "quiet_from": "22:00", "quiet_to": "07:00", "time_zone": "Europe/Berlin"}


def text(answer):
    return answer.content.decode()


class TestNotifications:
    def test_are_chosen_by_the_person_and_recorded(self, as_grace, grace):
        answer = as_grace.post(reverse("notifications"), CHOSEN)

        assert answer.status_code == 302
        choice = NotificationChoice.objects.get(person=grace)
        assert (choice.pace, choice.quiet_from, choice.time_zone) == ("hourly", time(22), "Europe/Berlin")
        assert AuditEvent.objects.filter(event="person.notifications_changed").exists()
        assert 'value="22:00"' in text(as_grace.get(reverse("notifications")))

    @pytest.mark.parametrize(
        "wrong", [{"quiet_to": ""}, {"pace": "never"}, {"time_zone": "Mars/Base"}, {"quiet_from": "25:00"}]
    )
    def test_that_make_no_sense_are_refused(self, as_grace, wrong):
        assert as_grace.post(reverse("notifications"), {**CHOSEN, **wrong}).status_code == 422
        assert not NotificationChoice.objects.exists()

    def test_say_that_nothing_can_be_sent_without_an_address(self, as_grace, grace):
        assert "no e-mail address" in text(as_grace.get(reverse("notifications")))
        grace.email = "grace@example.com"
        grace.save()

        assert "Sent to grace@example.com" in text(as_grace.get(reverse("notifications")))

    def test_are_led_to_from_the_preferences(self, as_grace):
        assert reverse("notifications") in text(as_grace.get(reverse("preferences")))


class TestAWebhookEndpoint:
    @pytest.fixture
    def root(self, unit):
        user = make.person("root", "view", of=unit, staff=True)
        user.user_permissions.set(
            Permission.objects.filter(codename__in=["add_webhookendpoint", "change_webhookendpoint",
                                                    "view_webhookendpoint", "view_delivery"])
        )  # fmt: skip
        return browser_of(user)

    def add(self, browser, unit, url="https://1.1.1.1/hooks"):
        typed = {"name": "desk", "unit_id": str(unit.pk), "url": url, "enabled": "on"}
        return browser.post(reverse("admin:approvals_webhookendpoint_add"), typed, follow=True)

    def test_has_its_secret_shown_once(self, root, unit):
        shown = re.search(r"whsec_[A-Za-z0-9+/=]+", text(self.add(root, unit)).replace("&#x2B;", "+"))

        row = WebhookEndpoint.objects.get()
        assert shown
        assert shown[0] == webhooks.secret_of(row.salt)
        for name, args in (("changelist", []), ("change", [row.pk])):
            page = text(root.get(reverse(f"admin:approvals_webhookendpoint_{name}", args=args)))
            assert "whsec_" not in page
            assert row.salt not in page
        assert "whsec_" not in "".join(AuditEvent.objects.values_list("data", flat=True))

    def test_gets_another_secret_when_asked_for(self, root, unit):
        self.add(root, unit)
        row = WebhookEndpoint.objects.get()
        typed = {"name": "desk", "unit_id": str(unit.pk), "url": row.url, "enabled": "on", "new_secret": "on"}

        answer = root.post(reverse("admin:approvals_webhookendpoint_change", args=[row.pk]), typed, follow=True)

        assert "whsec_" in text(answer)
        assert WebhookEndpoint.objects.get().salt != row.salt

    @pytest.mark.parametrize(
        "url",
        [
            "https://10.0.0.1/", "http://1.1.1.1/", "https://localhost/", "https://[::1]/", "https://[fd00::1]/",
            "https://[fe80::1]/", "https://[::ffff:10.0.0.1]/",
            # 10.0.0.1 again, as a translator, a tunnel or an old stack understands it.
            "https://[64:ff9b::a00:1]/", "https://[64:ff9b:1::a00:1]/", "https://[2002:a00:1::1]/", "https://[::10.0.0.1]/",
            "https://[::ffff:0:a00:1]/",
            # Of one's own network before there was fd00::/8.
            "https://[fec0::1]/",
        ],
    )  # fmt: skip
    def test_inside_the_network_or_unencrypted_is_refused(self, root, unit, url):
        assert "errornote" in text(self.add(root, unit, url))
        assert not WebhookEndpoint.objects.exists()

    def test_at_a_public_address_of_ipv6_is_taken(self, root, unit):
        self.add(root, unit, "https://[2606:4700:4700::1111]/hooks")

        assert WebhookEndpoint.objects.get().url == "https://[2606:4700:4700::1111]/hooks"

    def test_of_every_unit_is_for_somebody_who_sees_every_unit(self, root, unit):
        """Titles of all units' requests would leave by it."""
        hook = WebhookEndpoint.objects.create(name="all", url="https://1.1.1.1/hooks", salt=webhooks.new_salt())
        make.unit("elsewhere", "Elsewhere")
        typed = {"name": "mine", "unit_id": "", "url": "https://1.0.0.1/hooks", "enabled": "on"}

        added = root.post(reverse("admin:approvals_webhookendpoint_add"), typed)
        changed = root.post(reverse("admin:approvals_webhookendpoint_change", args=[hook.pk]), typed)

        assert "What holds in every unit is configured by administrators who see every one" in text(added)
        assert changed.status_code == 403
        assert [row.url for row in WebhookEndpoint.objects.all()] == [hook.url]

    def test_that_somebody_switched_off_is_not_switched_on_again_by_an_older_page(self, root, unit):
        self.add(root, unit)
        row = WebhookEndpoint.objects.get()
        change = reverse("admin:approvals_webhookendpoint_change", args=[row.pk])
        typed = {"name": "desk", "unit_id": str(unit.pk), "url": row.url}
        opened = as_opened(root, row)

        root.post(change, {**typed, **opened})
        told = text(root.post(change, {**typed, **opened, "name": "service desk", "enabled": "on"}))

        row.refresh_from_db()
        assert (row.name, row.enabled) == ("desk", False)
        assert "This was saved elsewhere after you had opened it" in told

    def test_leaves_in_the_trail_where_it_led_and_leads(self, root, unit):
        self.add(root, unit, url="https://1.1.1.1/hooks?token=secret")
        row = WebhookEndpoint.objects.get()
        typed = {"name": "desk", "unit_id": str(unit.pk), "url": "https://1.0.0.1/other", "enabled": "on"}

        root.post(reverse("admin:approvals_webhookendpoint_change", args=[row.pk]), typed)

        told = json.loads(AuditEvent.objects.get(event="webhook_endpoint.changed").data)
        assert (told["before"]["to"], told["after"]["to"]) == ("https://1.1.1.1", "https://1.0.0.1")
        assert "secret" not in "".join(AuditEvent.objects.values_list("data", flat=True))

    def test_leaves_what_it_was_to_the_auditors_of_both_units_when_it_is_moved(self, root, unit):
        self.add(root, unit)
        row = WebhookEndpoint.objects.get()
        home = make.unit("elsewhere", "Elsewhere")
        make.person("root", "view", of=home)
        typed = {"name": "renamed", "unit_id": str(home.pk), "url": row.url}

        root.post(reverse("admin:approvals_webhookendpoint_change", args=[row.pk]), typed)

        entries = AuditEvent.objects.filter(event="webhook_endpoint.changed")
        assert {entry.unit_id for entry in entries} == {unit.pk, home.pk}
        told = json.loads(entries[0].data)
        changed = {name: (told["before"][name], told["after"][name]) for name in ("name", "unit", "enabled")}
        assert changed == {"name": ("desk", "renamed"), "unit": (str(unit.pk), str(home.pk)), "enabled": (True, False)}

    def test_has_its_history_in_the_audit_log(self, root, unit):
        self.add(root, unit)
        row = WebhookEndpoint.objects.get()

        history = root.get(reverse("admin:approvals_webhookendpoint_history", args=[row.pk]))

        assert history["Location"] == f"/audit/?object={row.pk}"

    def test_of_another_unit_is_not_there(self, root, unit):
        self.add(root, unit)
        WebhookEndpoint.objects.update(unit_id=make.unit("elsewhere", "Elsewhere").pk)

        assert "desk" not in text(root.get(reverse("admin:approvals_webhookendpoint_changelist")))

    def test_gets_a_new_secret_from_one_of_two_who_ask_for_it_at_once(self, root, unit):
        self.add(root, unit)
        row = WebhookEndpoint.objects.get()
        change = reverse("admin:approvals_webhookendpoint_change", args=[row.pk])
        page = root.get(change).content.decode()
        asked = {"name": "desk", "unit_id": str(unit.pk), "url": row.url, "enabled": "on", "new_secret": "on"}
        asked |= {name: hidden(page, name) for name in ("digest", "read")}

        first, second = root.post(change, asked), root.post(change, asked)

        assert (first.status_code, second.status_code) == (302, 200)
        assert "This was saved elsewhere after you had opened it" in text(second)
        assert len(AuditEvent.objects.filter(event="webhook_endpoint.changed")) == 1

    def test_tells_no_letter_of_what_its_secret_is_made_of(self, root):
        listed = reverse("admin:approvals_webhookendpoint_changelist")

        assert root.get(listed, {"salt__startswith": "a"}).status_code == 400

    def test_narrows_by_what_has_not_arrived(self, root):
        listed = reverse("admin:approvals_delivery_changelist")

        assert root.get(listed, {"sent_at__isempty": "1"}).status_code == 200

    def test_shows_what_has_not_arrived(self, root, unit):
        self.add(root, unit)
        make.request()
        from approvals.notifying.spread import spread

        spread()

        assert "Waits for you" in text(root.get(reverse("admin:approvals_delivery_changelist")))
