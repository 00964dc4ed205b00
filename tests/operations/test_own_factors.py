"""A person's own factors: who they are is shown first, every change is recorded, and the way back is not a way around."""

import json

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command

from approvals.authentication import factors, guessing, own_factors
from approvals.authentication.factor_secrets import Unreadable
from approvals.authentication.factors import OWN_FACTORS, Given
from approvals.authentication.own_factors import LastFactor, Proof
from approvals.authentication.step_up import NotConfirmed
from audit.models import AuditEvent
from audit.refusals import Forbidden, Invalid, NotVisible, Stale
from tests import make, passkey
from tests.authenticator import App, given_to

pytestmark = pytest.mark.django_db
BY_PASSWORD = Proof(password=make.PASSWORD)
WHY = "Lost the phone; called back at their desk"


@pytest.fixture
def unit():
    return make.unit("finance", "Finance")


@pytest.fixture
def grace(unit):
    return make.actor(make.person("grace", "view", "review", of=unit))


@pytest.fixture
def vera(unit):
    return make.actor(make.person("vera", "view", of=unit))


@pytest.fixture
def boss(unit):
    user = make.person("boss", "view", of=unit, staff=True)
    user.user_permissions.add(Permission.objects.get(codename="change_approvalpolicy"))
    return make.actor(user)


def user_of(by):
    return get_user_model().objects.get(pk=by.user_id)


def kinds(by):
    return sorted(Authenticator.objects.filter(user_id=by.user_id).values_list("type", flat=True))


def add_app(by, proof=BY_PASSWORD, app=None, code=None):
    app = app or App()
    own_factors.add_app(by=by, secret=app.secret, code=code or app.code(), proof=proof)
    return app


def add_passkey(by, proof):
    options, note = factors.to_create(by=by)
    made = passkey.Passkey().create(options["challenge"])
    return own_factors.add_passkey(by=by, name="my laptop", credential=made, note=note, proof=proof)


def signed(by):
    return Proof(given=passkey.of(by).sign(by, OWN_FACTORS))


def last(event):
    return AuditEvent.objects.filter(event=event).order_by("-seq").first()


class TestTheFirstFactor:
    def test_takes_the_password_and_is_recorded_without_its_secret(self, grace):
        app = add_app(grace)

        assert kinds(grace) == ["totp"]
        assert app.secret not in last("person.factor_added").data

    def test_is_refused_with_a_wrong_password_which_is_counted(self, grace):
        with pytest.raises(Invalid, match="not your password"):
            add_app(grace, Proof(password="guessed"))

        assert kinds(grace) == []
        assert last("person.factor_refused").why == "password"

    def test_takes_no_password_at_all_for_no_try(self, grace):
        for _ in range(guessing.IN_A_ROW):
            with pytest.raises(Invalid, match="Type your password"):
                add_app(grace, Proof())

        assert last("person.factor_refused") is None
        assert add_app(grace)

    def test_is_refused_to_somebody_who_guesses_on(self, grace):
        for _ in range(guessing.IN_A_ROW):
            with pytest.raises(Invalid):
                add_app(grace, Proof(password="guessed"))

        with pytest.raises(guessing.TooManyGuesses):
            add_app(grace)

    def test_is_refused_where_the_app_shows_something_else(self, grace):
        app = App()

        with pytest.raises(Invalid, match="clock"):
            add_app(grace, app=app, code=app.wrong_code())

    def test_lies_encrypted(self, grace):
        app = add_app(grace)

        assert app.secret not in str(Authenticator.objects.get().data)
        assert factors.secret_of(Authenticator.objects.get()) == app.secret

    def test_has_used_up_the_code_it_was_shown_with(self, grace):
        make.policy()
        app = add_app(grace)

        with pytest.raises(NotConfirmed, match="used once already"):
            confirm_with(app, grace)


def confirm_with(app, by):
    from approvals.authentication import step_up

    request = make.request("4860.00")
    return step_up.confirm(
        request_id=request.pk, by=by, digest=request.digest, revision=1, given=Given(code=app.code())
    )


class TestAFurtherFactor:
    def test_takes_one_that_is_there_not_the_password(self, grace):
        passkey.of(grace)

        with pytest.raises(NotConfirmed):
            add_passkey(grace, BY_PASSWORD)
        add_passkey(grace, signed(grace))

        assert kinds(grace) == ["webauthn", "webauthn"]

    def test_can_be_added_with_a_recovery_code_once(self, grace):
        passkey.of(grace)
        codes = own_factors.make_recovery_codes(by=grace, proof=signed(grace))

        add_app(grace, Proof(given=Given(code=codes[0])))
        with pytest.raises(NotConfirmed):
            add_passkey(grace, Proof(given=Given(code=codes[0])))

        assert kinds(grace) == ["recovery_codes", "totp", "webauthn"]

    def test_is_no_second_app(self, grace):
        given_to(user_of(grace))

        with pytest.raises(Stale):
            add_app(grace, signed(grace))

    def test_is_refused_when_it_was_made_for_somebody_else(self, grace, vera):
        options, note = factors.to_create(by=vera)
        made = passkey.Passkey().create(options["challenge"])

        with pytest.raises(Invalid):
            own_factors.add_passkey(by=grace, name="", credential=made, note=note, proof=BY_PASSWORD)

    def test_that_signed_a_decision_does_not_open_them(self, grace):
        """An assertion for a request is none for one's own factors."""
        make.policy()
        request = make.request("4860.00")
        given = passkey.of(grace).sign(grace, factors.Binding(request.pk, request.digest, 1))

        with pytest.raises(NotConfirmed):
            add_passkey(grace, Proof(given=given))


class TestRecoveryCodes:
    def test_replace_the_earlier_ones(self, grace):
        passkey.of(grace)
        old = own_factors.make_recovery_codes(by=grace, proof=signed(grace))
        new = own_factors.make_recovery_codes(by=grace, proof=signed(grace))

        assert not set(old) & set(new)
        with pytest.raises(NotConfirmed):
            add_app(grace, Proof(given=Given(code=old[0])))

    def test_need_something_to_lead_back_to(self, grace):
        with pytest.raises(Stale):
            own_factors.make_recovery_codes(by=grace, proof=BY_PASSWORD)


class TestRemoving:
    def test_keeps_the_last_one_of_a_reviewer(self, grace):
        passkey.of(grace)

        with pytest.raises(LastFactor):
            own_factors.remove(by=grace, factor_id=Authenticator.objects.get().pk, proof=signed(grace))

    def test_takes_one_of_two_and_is_recorded(self, grace):
        passkey.of(grace)
        given_to(user_of(grace))
        app = Authenticator.objects.get(type="totp")

        own_factors.remove(by=grace, factor_id=app.pk, proof=signed(grace))

        assert kinds(grace) == ["webauthn"]
        assert '"factor":"totp"' in last("person.factor_removed").data

    def test_of_the_last_one_of_somebody_who_signs_nothing_takes_the_recovery_codes_too(self, vera):
        passkey.of(vera)
        own_factors.make_recovery_codes(by=vera, proof=signed(vera))

        own_factors.remove(by=vera, factor_id=Authenticator.objects.get(type="webauthn").pk, proof=signed(vera))

        assert kinds(vera) == []

    def test_needs_a_factor(self, vera):
        passkey.of(vera)

        with pytest.raises(NotConfirmed):
            own_factors.remove(by=vera, factor_id=Authenticator.objects.get().pk, proof=BY_PASSWORD)

    def test_of_somebody_elses_finds_nothing(self, grace, vera):
        passkey.of(vera)
        passkey.of(grace)

        with pytest.raises(NotVisible):
            own_factors.remove(
                by=grace, factor_id=Authenticator.objects.get(user_id=vera.user_id).pk, proof=signed(grace)
            )


class TestAReset:
    def test_takes_all_of_them_and_the_lock_and_is_recorded_with_its_reason(self, boss, grace):
        passkey.of(grace)
        given_to(user_of(grace))
        for _ in range(guessing.IN_A_ROW):
            with pytest.raises(NotConfirmed):
                add_passkey(grace, BY_PASSWORD)

        own_factors.reset(user_id=grace.user_id, by=boss, why=WHY)

        assert kinds(grace) == []
        told = last("person.factors_reset")
        assert (told.actor_name, told.why) == ("boss", WHY)
        assert f'"person":"user:{grace.user_id}"' in told.data
        add_app(grace)

    def test_is_never_of_ones_own(self, boss):
        passkey.of(boss)

        with pytest.raises(Forbidden, match="your own"):
            own_factors.reset(user_id=boss.user_id, by=boss, why=WHY)

    def test_is_never_of_another_account_of_ones_own(self, boss, grace):
        make.linked("boss-and-grace", user_of(boss), user_of(grace))

        with pytest.raises(Forbidden, match="your own"):
            own_factors.reset(user_id=grace.user_id, by=boss, why=WHY)

    def test_is_for_administrators(self, grace, vera):
        passkey.of(vera)

        with pytest.raises(NotVisible):
            own_factors.reset(user_id=vera.user_id, by=grace, why=WHY)

    def test_needs_a_reason(self, boss, grace):
        with pytest.raises(Invalid):
            own_factors.reset(user_id=grace.user_id, by=boss, why="lost")


class TestTheKeys:
    def test_can_be_changed_without_anybody_adding_a_factor_again(self, grace, settings, capsys):
        app = add_app(grace)
        settings.FACTOR_KEYS = ["new", *settings.FACTOR_KEYS]
        call_command("rotate_factor_keys")
        settings.FACTOR_KEYS = ["new"]

        assert factors.secret_of(Authenticator.objects.get()) == app.secret
        entry = AuditEvent.objects.get(event="person.factors_encrypted")
        assert (entry.actor, json.loads(entry.data)) == ("system:command line", {"count": 1, "unreadable": []})

    def test_that_are_lost_are_said_and_the_command_has_failed(self, grace, settings):
        add_app(grace)
        settings.FACTOR_KEYS = ["another"]

        with pytest.raises(CommandError, match=r"No key of FACTOR_KEYS opens the app of grace\. Add the key"):
            call_command("rotate_factor_keys")

    def test_that_are_lost_are_no_mistake_of_who_types_their_code(self, grace, settings):
        app = add_app(grace)
        settings.FACTOR_KEYS = ["another"]

        with pytest.raises(Unreadable, match="the key that opens it is missing"):
            factors.judge(Given(code=app.code()), by=grace, binding=OWN_FACTORS)


class TestTheDemosCodes:
    @pytest.fixture
    def app(self, unit, settings):
        settings.ENVIRONMENT = "demo"
        return given_to(make.person("reviewer", "view", "review", of=unit))

    def test_that_no_key_opens_are_said_to_be_so(self, app, settings):
        settings.FACTOR_KEYS = ["another"]

        with pytest.raises(CommandError, match="SECRET_KEY or FACTOR_KEYS is another than it was"):
            call_command("demo_code", "reviewer")

    def test_are_what_the_app_shows(self, app, capsys):
        call_command("demo_code", "reviewer")

        assert capsys.readouterr().out.strip() in {app.code(), app.code(later=-1)}

    def test_are_refused_outside_the_demo(self, app, settings):
        settings.ENVIRONMENT = "production"

        with pytest.raises(CommandError, match="Only the demo"):
            call_command("demo_code", "reviewer")

    def test_are_nobody_elses(self, grace, app):
        given_to(user_of(grace))

        with pytest.raises(CommandError, match="nobody of the demo"):
            call_command("demo_code", "grace")


class TestTheDemo:
    def test_gives_the_reviewers_an_app_and_says_its_key_in_the_demo_only(self, settings, capsys):
        settings.ENVIRONMENT = "demo"
        call_command("demo")
        told = capsys.readouterr().out
        apps = Authenticator.objects.filter(type="totp").order_by("user__username")
        assert [app.user.username for app in apps] == ["reviewer", "reviewer2"]
        assert all(factors.secret_of(app) in told for app in apps)

        settings.ENVIRONMENT = "production"
        call_command("demo")

        assert not any(factors.secret_of(app) in capsys.readouterr().out for app in apps)

    def test_does_not_give_back_what_was_taken_away(self, settings):
        settings.ENVIRONMENT = "demo"
        call_command("demo")
        Authenticator.objects.all().delete()

        call_command("demo")

        assert not Authenticator.objects.exists()


class TestNothingGiven:
    def test_is_no_try_and_locks_nobody(self, grace):
        app = add_app(grace)

        for _ in range(guessing.IN_A_ROW):
            with pytest.raises(NotConfirmed, match="a code or a passkey"):
                own_factors.make_recovery_codes(by=grace, proof=Proof(given=Given(code=" ")))

        assert last("person.factor_refused") is None
        assert own_factors.make_recovery_codes(by=grace, proof=Proof(given=Given(code=app.code(later=1))))
