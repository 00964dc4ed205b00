"""People and systems are told what happened: after it happened, at least once, and nothing of what is decided on."""

import base64
import email
import hashlib
import hmac
import json
import socket
from datetime import UTC, datetime, time, timedelta
from email import policy
from time import monotonic
from urllib.parse import urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core import mail
from django.db import transaction
from django.db.models import F
from guardian.shortcuts import remove_perm

from approvals import operations as approvals
from approvals.models import Delivery, Notice, NotificationChoice, StopScope, WebhookEndpoint
from approvals.notifying import deliver as sending
from approvals.notifying import loop, webhooks
from approvals.notifying import mail as letters
from approvals.notifying.deliver import BATCH, forget, one_round
from approvals.notifying.loop import FORGET_EVERY_SECONDS, Notifier
from approvals.notifying.pace import told_at
from approvals.notifying.spread import concerned, spread
from approvals.operations import emergencies, stops
from audit.ids import new_id
from budgets.permissions import grant, people_with
from tests import make as people
from tests import worlds as make
from tests.operations import receiver as receivers
from tests.signing import voice


@pytest.fixture
def world(db, settings):
    settings.SITE_URL = "https://holdpoint.example"
    made = make.world()
    for user in get_user_model().objects.all():
        user.email = f"{user.username}@example.com"
        user.save()
    return made


@pytest.fixture
def receiver(settings):
    settings.WEBHOOK_PRIVATE_TARGETS = True
    with receivers.running() as running:
        yield running


@pytest.fixture
def mail_server(settings):
    with receivers.mail_server() as running:
        settings.EMAIL_BACKEND = "approvals.notifying.mail.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", running.port, False
        yield running


def endpoint(receiver, **fields):
    return WebhookEndpoint.objects.create(
        **{"name": "desk", "url": receiver.url, "salt": webhooks.new_salt(), **fields}
    )


def told():
    """Who got what by mail, in order."""
    return [(message.to[0].partition("@")[0], message.subject) for message in mail.outbox]


def deliver():
    while one_round():
        pass


def choose(person, **chosen):
    NotificationChoice.objects.create(person_id=person.user_id, **chosen)


def backlog(whose, number):
    """So much has been due for whom since yesterday."""
    to = {"endpoint": whose} if isinstance(whose, WebhookEndpoint) else {"person_id": whose.user_id}
    notices = [Notice(kind="alert", title=f"{at}", path="/", spread_at=datetime.now(UTC)) for at in range(number)]
    Notice.objects.bulk_create(notices)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    Delivery.objects.bulk_create(Delivery(notice=notice, due_at=yesterday, **to) for notice in notices)


def time_passes():
    Delivery.objects.open().update(due_at=F("due_at") - timedelta(days=1))


class TestWhoIsTold:
    def test_of_a_waiting_request_is_whoever_may_sign_it(self, world):
        make.request(world)
        deliver()

        assert sorted(name for name, _ in told()) == ["grace", "linus"]
        assert told()[0][1].startswith("[Holdpoint] Waits for you: Pay ")

    def test_by_a_group_counts_as_by_oneself(self, world):
        group = Group.objects.create(name="reviewers")
        for permission in ("view", "review"):
            grant(group, permission, world.unit)
        get_user_model().objects.get(username="eve").groups.add(group)
        make.request(world)
        deliver()

        assert "eve" in [name for name, _ in told()]
        assert people_with("review", new_id()) == set()

    def test_is_everybody_where_the_host_no_longer_knows_the_zone_of_one(self, world):
        choose(world.grace, quiet_from=time(3), quiet_to=time(3, 1), time_zone="US/Nowhere")
        make.request(world)
        deliver()

        assert "linus" in [name for name, _ in told()]

    def test_of_a_decision_is_whoever_asked(self, world):
        request = make.request(world)
        type(request).objects.filter(pk=request.pk).update(requester=world.ada.key)
        deliver()
        mail.outbox.clear()

        approvals.reject(request_id=request.pk, by=world.grace, voice=voice(request, "wrong_amount", by=world.grace))
        deliver()

        assert [name for name, _ in told()] == ["ada"]
        assert told()[0][1].endswith("rejected")

    def test_of_a_decision_is_no_asker_who_may_not_look_any_more(self, world):
        request = make.request(world)
        type(request).objects.filter(pk=request.pk).update(requester=world.ada.key)
        for permission in ("view", "operate"):
            remove_perm(f"budgets.{permission}_businessunit", get_user_model().objects.get(username="ada"), world.unit)

        approvals.reject(request_id=request.pk, by=world.grace, voice=voice(request, "wrong_amount", by=world.grace))
        deliver()

        assert "ada" not in dict(told())

    def test_of_an_emergency_is_every_other_reviewer(self, world):
        request = make.request(world, tool="wire")
        deliver()
        mail.outbox.clear()

        emergencies.break_glass(
            request_id=request.pk,
            by=world.grace,
            voice=voice(request, by=world.grace),
            reason="nobody else answers in time",
        )
        deliver()

        assert sorted(name for name, subject in told() if "one person alone" in subject) == ["linus", "olga"]

    def test_of_an_emergency_is_no_administrator_of_another_unit(self, world):
        user = people.person("boss", "view", of=people.unit("elsewhere"), staff=True)
        user.user_permissions.add(Permission.objects.get(codename="change_approvalpolicy"))
        get_user_model().objects.filter(pk=user.pk).update(email="boss@example.com")
        request = make.request(world, tool="wire")

        said = voice(request, by=world.grace)
        emergencies.break_glass(request_id=request.pk, by=world.grace, voice=said, reason="nobody else answers in time")
        deliver()

        assert "boss" not in dict(told())

    def test_of_a_disagreement_is_whoever_is_responsible_where_its_group_is_retired(self, world):
        user = people.person("boss", "view", of=world.unit, staff=True)
        user.user_permissions.add(Permission.objects.get(codename="change_approvalpolicy"))
        gone = Notice(kind="disagreed", unit_id=world.unit.pk, asked_reviewers="retired-group", title="Pay 1", path="/")

        assert concerned(gone) == {user.pk}

    def test_of_a_stop_and_its_end_is_whoever_works_in_the_unit(self, world):
        target = stops.Target(scope=StopScope.UNIT, unit_id=world.unit.pk)
        stop = stops.engage(target=target, by=world.ada, reason="a doubt")
        stops.lift(stop_id=stop.pk, by=world.ada, why="no doubt any more")
        deliver()

        assert sorted({name for name, _ in told()}) == ["grace", "linus", "olga"]

    def test_of_a_stop_is_also_whoever_works_in_a_unit_below(self, world, receiver):
        """It covers them; their systems are called as well."""
        branch, other = people.unit("branch", "Branch", parent=world.unit), people.unit("other", "Other")
        for name, of in (("beth", branch), ("otto", other)):
            user = people.person(name, "view", "operate", of=of)
            get_user_model().objects.filter(pk=user.pk).update(email=f"{name}@example.com")
        endpoint(receiver, unit_id=branch.pk)

        stops.engage(target=stops.Target(scope=StopScope.UNIT, unit_id=world.unit.pk), by=world.ada, reason="a doubt")
        deliver()

        assert sorted({name for name, _ in told()}) == ["beth", "grace", "linus", "olga"]
        assert len(receiver.arrived) == 1

    def test_is_nobody_without_an_address(self, world):
        get_user_model().objects.update(email="")
        make.request(world)
        deliver()

        assert told() == []


class TestAMessageThatWaits:
    """For a digest, the end of the night, or a mail server that is down."""

    @pytest.fixture(params=["a digest", "a mail server"])
    def waiting(self, world, request, settings):
        """A request that linus and grace were to be told of."""
        if request.param == "a digest":
            choose(world.grace, pace="daily")
            choose(world.linus, pace="daily")
        else:
            settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = (
                "django.core.mail.backends.smtp.EmailBackend", "127.0.0.1", 9,
            )  # fmt: skip
        made = make.request(world, tool="wire")
        deliver()
        assert Delivery.objects.open().count() == 2
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        mail.outbox.clear()
        return made

    def test_does_not_go_to_whoever_may_not_look_there_any_more(self, world, waiting):
        for role in ("review", "view"):
            remove_perm(f"budgets.{role}_businessunit", get_user_model().objects.get(username="linus"), world.unit)

        time_passes()
        deliver()

        assert [name for name, _ in told()] == ["grace"]
        assert Delivery.objects.get(person__username="linus").dropped_at is not None

    def test_does_not_ask_whoever_has_signed_since(self, world, waiting):
        approvals.approve(request_id=waiting.pk, by=world.grace, voice=voice(waiting, by=world.grace))

        time_passes()
        deliver()

        assert [name for name, _ in told()] == ["linus"]


class TestPreferences:
    def test_off_leaves_the_role_and_tells_nothing(self, world):
        choose(world.grace, pace="off")
        request = make.request(world)
        deliver()

        assert [name for name, _ in told()] == ["linus"]
        approvals.approve(request_id=request.pk, by=world.grace, voice=voice(request, by=world.grace))

    def test_off_counts_for_what_waits_for_the_next_message_too(self, world):
        choose(world.grace, pace="daily")
        make.request(world)
        deliver()
        NotificationChoice.objects.update(pace="off")
        time_passes()
        deliver()

        assert "grace" not in dict(told())
        assert not Delivery.objects.open().exists()

    def test_together_is_one_message_for_all_that_still_waits(self, world):
        choose(world.grace, pace="hourly")
        choose(world.linus, pace="off")
        requests = [make.request(world) for _ in range(3)]
        deliver()
        assert told() == []

        approvals.reject(
            request_id=requests[0].pk, by=world.linus, voice=voice(requests[0], "wrong_amount", by=world.linus)
        )
        time_passes()
        deliver()

        assert told() == [("grace", "[Holdpoint] 2 things since the last message")]
        assert requests[0].get_absolute_url() not in mail.outbox[0].body
        assert requests[1].get_absolute_url() in mail.outbox[0].body

    def test_together_is_one_message_for_each_however_much_waits_for_them(self, world):
        """More than a round takes of what has to be told at once, and nobody's lies beside the rest of it."""
        for person in (world.grace, world.linus):
            choose(person, pace="daily")
        for _ in range(BATCH + 10):
            make.request(world)
        deliver()
        time_passes()
        deliver()

        together = f"[Holdpoint] {BATCH + 10} things since the last message"
        assert sorted(told()) == [("grace", together), ("linus", together)]

    def test_together_is_whole_for_each_where_many_have_much_at_the_same_hour(self, world, monkeypatch):
        monkeypatch.setattr(sending, "MOST_TOLD", 20)
        for person, number in [(world.grace, 5), (world.linus, 12), (world.grace, 12)]:
            backlog(person, number)
        deliver()

        assert told() == [
            ("grace", "[Holdpoint] 17 things since the last message"),
            ("linus", "[Holdpoint] 12 things since the last message"),
        ]

    def test_together_tells_of_no_unit_that_one_has_left_meanwhile(self, world):
        choose(world.grace, pace="daily")
        branch = people.unit("branch", "Branch", parent=world.unit)
        grace = people.person("grace", "view", "review", of=branch)
        make.request(world)
        stops.engage(target=stops.Target(scope=StopScope.UNIT, unit_id=world.unit.pk), by=world.ada, reason="a doubt")
        deliver()
        for permission in ("view", "review"):
            remove_perm(f"budgets.{permission}_businessunit", grace, world.unit)
        time_passes()
        deliver()

        # The stop covers the unit below, which she still sees.
        assert [subject for name, subject in told() if name == "grace"] == [
            "[Holdpoint] Was stopped: Finance and every unit below it"
        ]
        assert Delivery.objects.filter(person=grace).exclude(dropped_at=None).count() == 1

    @pytest.mark.parametrize(
        ("chosen", "now", "then"),
        [
            ({}, "2026-11-27 12:00", "2026-11-27 12:00"),
            ({"pace": "hourly"}, "2026-11-27 12:10", "2026-11-27 13:00"),
            ({"pace": "daily", "time_zone": "Asia/Tokyo"}, "2026-11-27 12:00", "2026-11-27 23:00"),
            ({"quiet_from": time(22), "quiet_to": time(7)}, "2026-11-27 23:30", "2026-11-28 07:00"),
            ({"quiet_from": time(22), "quiet_to": time(7)}, "2026-11-27 06:59", "2026-11-27 07:00"),
            ({"quiet_from": time(22), "quiet_to": time(7)}, "2026-11-27 07:00", "2026-11-27 07:00"),
            ({"quiet_from": time(9), "quiet_to": time(10), "time_zone": "Asia/Tokyo"}, "2026-11-27 00:30",
             "2026-11-27 01:00"),
            ({"pace": "hourly", "quiet_from": time(13), "quiet_to": time(14)}, "2026-11-27 12:10", "2026-11-27 14:00"),
        ],
    )  # fmt: skip
    def test_say_when_in_their_own_zone(self, chosen, now, then):
        choice = NotificationChoice(**chosen)

        assert told_at(choice, "waiting", moment(now)) == moment(then)

    def test_do_not_hold_back_what_is_urgent_except_off(self):
        now = moment("2026-11-27 23:30")
        asleep = NotificationChoice(pace="daily", quiet_from=time(22), quiet_to=time(7))

        assert told_at(asleep, "emergency", now) == now
        assert told_at(NotificationChoice(pace="off"), "emergency", now) is None


def moment(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class TestAMessage:
    def test_holds_title_due_time_and_link_and_nothing_of_the_act(self, world):
        request = make.request(world)
        deliver()

        messages = [email.message_from_bytes(one.message().as_bytes(), policy=policy.default) for one in mail.outbox]
        assert sorted(message["To"] for message in messages) == ["grace@example.com", "linus@example.com"]
        body = messages[0].get_content()
        assert f"https://holdpoint.example{request.get_absolute_url()}" in body
        assert f"Due {request.decide_by:%Y-%m-%d %H:%M} UTC" in body
        assert request.digest not in body
        assert "amount" not in body
        assert str(Delivery.objects.get(person__username="grace").pk) in "".join(str(m["Message-ID"]) for m in messages)

    def test_shows_a_hostile_title_on_one_line(self, world):
        request = make.request(world)
        Notice.objects.update(title="Pay\r\nBcc: all@example.com \u202e 1")
        deliver()

        subject = mail.outbox[0].subject
        assert "\n" not in subject
        assert "RIGHT-TO-LEFT OVERRIDE" in subject
        assert mail.outbox[0].recipients() in (["grace@example.com"], ["linus@example.com"])
        assert request.pk

    def test_is_not_sent_by_a_transaction_that_rolls_back(self, world):
        with transaction.atomic():
            make.request(world)
            assert Notice.objects.exists()
            transaction.set_rollback(True)
        deliver()

        assert told() == []

    def test_leads_to_a_page_that_decides_nothing(self, world, client):
        request = make.request(world)
        deliver()
        client.force_login(get_user_model().objects.get(username="grace"))
        link = next(line for line in mail.outbox[0].body.splitlines() if line.startswith("https://"))

        assert client.get(link.removeprefix("https://holdpoint.example")).status_code == 200
        request.refresh_from_db()
        assert (request.status, request.decisions.count()) == ("pending", 0)

    def test_that_cannot_be_sent_is_sent_later(self, world, settings):
        """The mail server is down: nothing listens on that port."""
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
        make.request(world)
        deliver()
        waiting = Delivery.objects.open().values_list("tries", "last_error")
        assert sorted(waiting) == [(1, "ConnectionRefusedError"), (1, sending.BEHIND)]

        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        time_passes()
        deliver()
        assert sorted(name for name, _ in told()) == ["grace", "linus"]

    def test_to_a_mail_server_that_drips_is_cut_off_once_and_keeps_no_webhook_waiting(
        self, world, receiver, settings, monkeypatch
    ):
        """It never ends its greeting. Each of two people would wait for it, and both for as long as it goes on."""
        monkeypatch.setattr(letters, "TALK_SECONDS", 0.5)
        settings.EMAIL_BACKEND = "approvals.notifying.mail.EmailBackend"
        endpoint(receiver)
        make.request(world)
        with receivers.dripping(b"220 ", every=0.1, greets=True) as slow:
            settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", urlsplit(slow.url).port
            began = monotonic()
            deliver()

        assert monotonic() - began < 10
        assert len(receiver.arrived) == 1
        waiting = Delivery.objects.open().filter(person__isnull=False)
        assert sorted(waiting.values_list("tries", "last_error")) == [(1, "TimeoutError"), (1, sending.BEHIND)]
        assert len(slow.arrived) == 1

    def test_at_which_the_mail_server_hangs_up_keeps_the_others_waiting_once(self, world, mail_server):
        """A server that breaks off is down, or has something against this one: the next round begins with another."""
        make.request(world)
        spread()
        first, second = Delivery.objects.order_by("id")
        mail_server.hangs_up_on = first.person.email
        deliver()
        assert mail_server.arrived == []
        time_passes()
        deliver()

        assert [message["To"] for message in mail_server.arrived] == [second.person.email]

    def test_that_was_taken_by_a_server_that_died_comes_again_under_its_id_and_under_another_with_more(
        self, world, mail_server
    ):
        """Whoever keeps one message of an id would never see what the second one says beside the first."""
        mail_server.dies = True
        make.request(world)
        deliver()
        time_passes()
        deliver()
        again = {message["Message-ID"] for message in mail_server.arrived if message["To"] == "grace@example.com"}
        make.request(world)
        mail_server.dies = False
        time_passes()
        deliver()

        both = mail_server.arrived[-1]
        assert "2 things" in both["Subject"]
        assert len(again) == 1
        assert both["Message-ID"] not in {message["Message-ID"] for message in mail_server.arrived[:-1]}

    def test_to_whoever_has_no_address_any_more_was_not_sent(self, world):
        make.request(world)
        spread()
        get_user_model().objects.filter(username="grace").update(email="")
        deliver()

        assert [name for name, _ in told()] == ["linus"]
        assert Delivery.objects.get(person__username="grace").sent_at is None
        assert not Delivery.objects.open().exists()

    def test_is_forgotten_a_month_after_it_arrived(self, world):
        make.request(world)
        deliver()
        assert forget() == 0

        Delivery.objects.update(sent_at=F("sent_at") - timedelta(days=31))
        Notice.objects.update(created_at=F("created_at") - timedelta(days=31))
        assert forget() == 3
        assert not Notice.objects.exists()

    def test_is_forgotten_within_the_hour_however_many_have_arrived(self, world):
        backlog(world.grace, 1_200)
        Delivery.objects.update(sent_at=datetime.now(UTC) - timedelta(days=31))
        Notice.objects.update(created_at=F("created_at") - timedelta(days=31))
        notifier = Notifier()
        notifier._forgot_at -= FORGET_EVERY_SECONDS + 1
        for _ in range(5):
            notifier._round()

        assert not Notice.objects.exists()

    @pytest.mark.parametrize("trouble", [RuntimeError("canceled"), None])
    def test_is_sent_beside_what_is_forgotten_which_is_looked_for_once_an_hour(self, world, monkeypatch, trouble):
        """Looking reads the whole table; on a busy site something is a month old in every moment."""
        looks = []

        def forgets():
            looks.append(1)
            if trouble:
                raise trouble
            return 3

        monkeypatch.setattr(loop, "forget", forgets)
        make.request(world)
        notifier = Notifier()
        notifier._forgot_at -= FORGET_EVERY_SECONDS + 1
        for _ in range(3):
            notifier._round()

        assert len(looks) == 1
        assert len(told()) == 2


class TestAWebhook:
    def test_is_signed_as_the_standard_says(self, world, receiver):
        hook = endpoint(receiver)
        request = make.request(world)
        deliver()

        (headers, body), = receiver.arrived  # fmt: skip
        sent = {name.lower(): value for name, value in headers.items()}
        assert sent["webhook-id"] == str(Notice.objects.get().pk)
        key = base64.b64decode(webhooks.secret_of(hook.salt).removeprefix("whsec_"))
        signed = f"{sent['webhook-id']}.{sent['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert sent["webhook-signature"] == f"v1,{expected}"
        told = json.loads(body)
        assert told["type"] == "holdpoint.waiting"
        assert told["data"]["url"] == f"https://holdpoint.example{request.get_absolute_url()}"
        assert set(told["data"]) == {"id", "title", "unit", "due_at", "url"}

    def test_has_the_body_slack_expects(self, world, receiver):
        endpoint(receiver, slack=True)
        make.request(world)
        Notice.objects.update(title="Pay <!channel> & 1")
        deliver()

        text = json.loads(receiver.arrived[0][1])
        assert list(text) == ["text"]
        assert "Pay &lt;!channel&gt; &amp; 1" in text["text"]

    def test_that_is_not_taken_comes_again_under_the_same_id(self, world, receiver):
        endpoint(receiver)
        receiver.answers = [(500, {}), (503, {})]
        make.request(world)
        deliver()
        for _ in range(2):
            assert Delivery.objects.open().filter(endpoint__isnull=False).exists()
            time_passes()
            deliver()

        ids = {headers["webhook-id"] for headers, _ in receiver.arrived}
        assert (len(receiver.arrived), len(ids)) == (3, 1)
        assert Delivery.objects.get(endpoint__isnull=False).sent_at is not None

    def test_to_a_receiver_that_is_down_waits_longer_each_time_and_is_not_lost(self, world, receiver, settings):
        hook = endpoint(receiver)
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            WebhookEndpoint.objects.update(url=f"http://127.0.0.1:{unused.getsockname()[1]}/")
            make.request(world)
            pauses = []
            for _ in range(4):
                deliver()
                row = Delivery.objects.get(endpoint=hook)
                pauses.append(row.due_at - datetime.now(UTC))
                time_passes()
        assert [round(pause.total_seconds() / 15) for pause in pauses] == [1, 2, 4, 8]

        WebhookEndpoint.objects.update(url=receiver.url)
        deliver()
        assert len(receiver.arrived) == 1

    @pytest.mark.parametrize("path", ["/h\u00f6k?team=caf\u00e9", "/a b", "/x\r\nHost: evil"])
    def test_of_any_letters_is_called_and_holds_up_nobody(self, world, receiver, path):
        endpoint(receiver, url=receiver.url + path)
        make.request(world)
        deliver()

        assert len(receiver.arrived) == 1
        assert {name for name, _ in told()} == {"grace", "linus"}
        assert not Delivery.objects.open().exists()

    def test_that_is_not_taken_keeps_the_rest_for_the_same_receiver_and_no_mail(self, world, receiver):
        """Fifty that wait for an answer in vain are one try, not fifty."""
        endpoint(receiver)
        receiver.answers = [(503, {})]
        for _ in range(3):
            make.request(world)
        deliver()

        assert len(receiver.arrived) == 1
        assert len(told()) == 2
        time_passes()
        deliver()
        assert len({headers["webhook-id"] for headers, _ in receiver.arrived}) == 3

    def test_that_is_never_taken_keeps_the_others_for_the_same_receiver_waiting_once(self, world, settings):
        """The receiver chokes on one message, and takes every other."""
        settings.WEBHOOK_PRIVATE_TARGETS = True
        with receivers.running(chokes=True) as receiver:
            endpoint(receiver)
            for _ in range(3):
                make.request(world)
            deliver()
            time_passes()
            deliver()

        ids = [headers["webhook-id"] for headers, _ in receiver.arrived]
        assert len(ids) == 4
        assert ids[0] == ids[3] == min(ids), "the others first, in their order"
        assert ids[1:3] == sorted(ids[1:3])
        assert Delivery.objects.open().count() == 1

    def test_that_has_waited_for_days_keeps_no_mail_and_no_other_receiver_waiting(self, world, receiver):
        """More of it is due than a round takes, and longer."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            away = endpoint(receiver, url=f"http://127.0.0.1:{unused.getsockname()[1]}/")
            backlog(away, BATCH * 3)
            endpoint(receiver)
            make.request(world)
            one_round()

        assert {name for name, _ in told()} == {"grace", "linus"}
        assert len(receiver.arrived) == 1

    def test_waits_for_no_mails_that_have_waited_for_days(self, world, receiver):
        backlog(world.grace, BATCH * 2)
        endpoint(receiver)
        make.request(world)
        one_round()

        assert len(receiver.arrived) == 1

    def test_that_takes_everything_slowly_leaves_time_for_the_others(self, world, receiver, monkeypatch):
        """Four seconds for two receivers: half of it for the one that takes a second each, however much waits for it."""
        monkeypatch.setattr(sending, "SENDING_SECONDS", 4.0)
        with receivers.running(seconds=1.0) as slow:
            backlog(endpoint(slow), BATCH)
            endpoint(receiver)
            make.request(world)
            one_round()

        assert 1 <= len(slow.arrived) <= 3
        assert len(receiver.arrived) == 1

    @pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 ", b"HTTP/1.1 200 OK\r\nX-Slow: "])
    def test_that_drips_is_cut_off_and_keeps_no_other_receiver_waiting(self, world, receiver, monkeypatch, beginning):
        """A byte before each time-out: what had come when the time was over is no answer, though it begins like a yes."""
        monkeypatch.setattr(webhooks, "TIMEOUT_SECONDS", 0.5)
        with receivers.dripping(beginning, every=0.1) as slow:
            hook = endpoint(slow)
            endpoint(receiver)
            make.request(world)
            began = monotonic()
            deliver()

        assert monotonic() - began < 10
        assert len(receiver.arrived) == 1
        row = Delivery.objects.get(endpoint=hook)
        assert (row.sent_at, row.last_error) == (None, "TimeoutError")

    def test_that_drips_while_it_agrees_on_tls_is_cut_off(self, world, settings, monkeypatch):
        monkeypatch.setattr(webhooks, "TIMEOUT_SECONDS", 0.5)
        settings.WEBHOOK_PRIVATE_TARGETS = True
        with receivers.dripping(b"\x16\x03\x03\x40\x00", every=0.1) as slow:
            hook = endpoint(slow, url=slow.url.replace("http:", "https:"))
            make.request(world)
            began = monotonic()
            deliver()

        assert monotonic() - began < 10
        assert Delivery.objects.get(endpoint=hook).last_error == "TimeoutError"

    def test_follows_no_redirect(self, world, receiver):
        endpoint(receiver)
        receiver.answers = [(302, {"Location": receiver.url})]
        make.request(world)
        deliver()

        assert len(receiver.arrived) == 1
        assert Delivery.objects.get(endpoint__isnull=False).last_error == "HTTP 302"

    def test_goes_to_the_endpoints_of_its_unit_that_are_switched_on(self, world, receiver):
        endpoint(receiver, unit_id=new_id())
        endpoint(receiver, enabled=False)
        endpoint(receiver, unit_id=world.unit.pk)
        make.request(world)
        deliver()

        assert len(receiver.arrived) == 1

    def test_is_not_made_where_the_endpoint_is_another_units_by_now(self, world, receiver):
        """What could not be delivered in one unit is nothing for another one's system."""
        hook = endpoint(receiver, unit_id=world.unit.pk)
        receiver.answers = [(503, {})]
        make.request(world)
        deliver()
        WebhookEndpoint.objects.filter(pk=hook.pk).update(unit_id=people.unit("elsewhere").pk)
        time_passes()
        deliver()

        assert len(receiver.arrived) == 1
        assert Delivery.objects.get(endpoint=hook).dropped_at is not None

    def test_whose_sender_died_is_sent_by_the_next(self, world, receiver):
        """Claimed, and nothing more was heard: the lease of two minutes is over."""
        endpoint(receiver)
        make.request(world)
        from approvals.notifying.spread import spread

        spread()
        Delivery.objects.update(tries=1, due_at=F("due_at") - timedelta(seconds=1))
        deliver()

        assert len(receiver.arrived) == 1


class TestTheGuard:
    @pytest.mark.parametrize(
        "url",
        [
            "http://example.com/", "https://127.0.0.1/", "https://localhost/", "https://10.0.0.1/", "https://192.168.1.1/",
            "https://169.254.169.254/latest/meta-data/", "https://[::1]/", "https://[::ffff:10.0.0.1]/",
            "https://[64:ff9b::a00:1]/", "https://[2002:a00:1::]/", "https://[fd00::1]/", "https://0.0.0.0/",
            "https://2130706433/", "https://user:pass@1.1.1.1/", "https:///nowhere", "ftp://1.1.1.1/", "https://224.0.0.1/",
            "https://100.64.0.1/", "https://nothing.invalid/", "https://1.1.1.1:99999/",
        ],
    )  # fmt: skip
    def test_calls_nothing_inside_the_network(self, url):
        with pytest.raises(webhooks.Unsafe):
            webhooks.judge(url)

    def test_lets_public_addresses_pass_and_connects_to_the_judged_one(self):
        place = webhooks.judge("https://1.1.1.1:8443/hooks?a=1")

        assert (place.address, place.port, place.path, place.secure) == ("1.1.1.1", 8443, "/hooks?a=1", True)

    def test_is_asked_at_every_call(self, world, receiver, settings):
        endpoint(receiver)
        settings.WEBHOOK_PRIVATE_TARGETS = False
        make.request(world)
        deliver()

        assert receiver.arrived == []
        assert Delivery.objects.get(endpoint__isnull=False).last_error.startswith("Only https")
