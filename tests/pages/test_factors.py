"""The pages of second factors, and the decision form that asks for one: what is said, what is kept, who is let near."""

import json
import re

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Permission
from django.urls import reverse

from approvals.authentication.factors import OWN_FACTORS
from approvals.models import ApprovalRequest, Confirmation, Decision
from tests import make, passkey
from tests.authenticator import App, given_to
from tests.pages.asking import browser_of, fields_of, person_of, signed_on_a_device
from tests.pages.test_review import answer, decide


def text(reply):
    return reply.content.decode()


@pytest.fixture
def two_must_sign(unit):
    make.policy()
    return make.request("4860.00")


@pytest.fixture
def as_boss(unit):
    user = make.person("boss", "view", of=unit, staff=True)
    user.user_permissions.add(Permission.objects.get(codename="change_approvalpolicy"))
    return browser_of(user)


def post(browser, request, **more):
    """Without what a device would sign."""
    return browser.post(reverse("approval_decisions", args=[request.pk]), answer(request, **more))


def pending_app(browser, name="factor_app"):
    """The form as it is served, and the app that has scanned its key."""
    page = text(browser.get(reverse(name)))
    key = re.search(r"Key: <code>([A-Z2-7 ]+)</code>", page)[1].replace(" ", "")
    return App(key), {"pending": re.search(r'name="pending" value="([^"]+)"', page)[1]}


def with_attestation(made, cbor):
    return {**made, "response": {**made["response"], "attestationObject": passkey.b64(cbor)}}


class TestTheDecisionForm:
    def test_leads_somebody_without_a_factor_to_adding_one_and_back(self, two_must_sign, as_grace):
        page = text(as_grace.get(two_must_sign.get_absolute_url()))
        assert "you have none yet" in page
        assert f"{reverse('factors')}?next={two_must_sign.get_absolute_url()}" in page

        app, form = pending_app(as_grace)
        back = as_grace.post(reverse("factor_app"), {
            **form, "app_code": app.code(), "password": make.PASSWORD, "next": two_must_sign.get_absolute_url(),
        })  # fmt: skip

        assert back["Location"] == two_must_sign.get_absolute_url()
        assert "Code from your authenticator app" in text(as_grace.get(two_must_sign.get_absolute_url()))

    def test_asks_nothing_where_one_signature_is_enough(self, unit, as_grace):
        assert "Confirm it is you" not in text(as_grace.get(make.request().get_absolute_url()))

    def test_refuses_without_a_factor_and_keeps_what_was_typed(self, two_must_sign, as_grace):
        reply = post(as_grace, two_must_sign, note="I compared the invoice")

        assert reply.status_code == 403
        assert "I compared the invoice" in text(reply)
        assert not Decision.objects.exists()

    def test_keeps_what_was_typed_beside_a_wrong_code_but_not_the_code(self, two_must_sign, grace, as_grace):
        wrong = given_to(grace).wrong_code()

        reply = post(as_grace, two_must_sign, note="I compared the invoice", code=wrong)

        assert reply.status_code == 422
        assert "I compared the invoice" in text(reply)
        assert "not the code that your app shows now" in text(reply)
        assert wrong not in text(reply)

    def test_does_not_ask_again_when_something_else_was_wrong(self, two_must_sign, grace, as_grace):
        app = given_to(grace)
        refused = post(as_grace, two_must_sign, code=app.code(), critical="1")
        assert "Confirmed with Authenticator app" in text(refused)
        held = re.search(r'name="confirmation" value="([^"]+)"', text(refused))[1]

        reply = post(as_grace, two_must_sign, confirmation=held)

        assert reply.status_code == 302
        assert str(Decision.objects.get().confirmation_id) == held

    def test_does_not_give_a_confirmation_to_another_page_of_the_session(self, two_must_sign, grace, as_grace):
        """A stolen session opens the page anew: what the person confirmed a moment ago is not on it."""
        post(as_grace, two_must_sign, code=given_to(grace).code(), critical="1")

        page = text(as_grace.get(two_must_sign.get_absolute_url()))

        assert str(Confirmation.objects.get().pk) not in page
        assert post(as_grace, two_must_sign).status_code == 422

    def test_does_not_use_up_a_code_when_what_was_read_has_changed(self, two_must_sign, grace, as_grace):
        app = given_to(grace)

        reply = post(as_grace, two_must_sign, code=app.code(), digest="f" * 64)

        assert reply.status_code == 409
        assert not Confirmation.objects.exists()

    @pytest.mark.parametrize("name", ["assertion", "reading"])
    def test_survives_what_no_browser_would_report(self, two_must_sign, as_grace, name):
        given = signed_on_a_device(as_grace, two_must_sign)

        reply = post(as_grace, two_must_sign, **{**given, name: "[" * 5_000})

        assert reply.status_code == (302 if name == "reading" else 422)

    def test_takes_a_passkey_once_clicked_twice(self, two_must_sign, as_grace):
        typed = signed_on_a_device(as_grace, two_must_sign)

        replies = [post(as_grace, two_must_sign, **typed) for _ in range(2)]

        assert [reply.status_code for reply in replies] == [302, 302]
        assert Decision.objects.count() == 1

    def test_shows_factor_time_and_binding_with_the_decision(self, two_must_sign, as_grace, as_linus):
        decide(as_grace, two_must_sign)

        page = text(as_grace.get(two_must_sign.get_absolute_url()))
        assert "confirmed with Passkey" in page
        assert "for revision 1" in page
        assert "confirmed with Passkey “test key” at" in page[page.index("History of this request") :]
        assert "test key" not in text(as_linus.get(two_must_sign.get_absolute_url()))

    def test_asks_for_a_result_where_the_policy_asks_always(self, unit, grace, as_grace):
        make.policy("careful", required=1, condition="", step_up="always")
        request = make.request("4860.00")
        app = given_to(grace)
        form = {"digest": request.digest, "revision": 1, "result": "{}", "reason_code": "duplicate", "note": "done"}
        address = reverse("approval_results", args=[request.pk])

        without, given = as_grace.post(address, form), as_grace.post(address, {**form, "code": app.code()})

        assert (without.status_code, given.status_code) == (422, 302)
        assert ApprovalRequest.objects.get().status == "answered"

    def test_is_challenged_for_exactly_what_waits(self, two_must_sign, as_grace, as_eve):
        passkey.of(person_of(as_grace))
        address = reverse("approval_challenge", args=[two_must_sign.pk])
        now = {"digest": two_must_sign.digest, "revision": 1}

        asked = as_grace.get(address, now)

        assert json.loads(asked.content)["publicKey"]["rpId"] == "localhost"
        assert as_grace.get(address, {**now, "digest": "f" * 64}).status_code == 404
        assert as_eve.get(address, now).status_code == 404


class TestTheFactorPages:
    def test_say_when_there_is_none(self, as_vera):
        page = text(as_vera.get(reverse("factors")))

        assert "You have none yet" in page
        assert "Recovery codes" not in page

    def test_show_the_key_as_a_picture_to_its_owner_only(self, as_grace, as_linus):
        _, form = pending_app(as_grace)

        picture, stolen = (browser.get(reverse("factor_qr"), form) for browser in (as_grace, as_linus))

        assert picture["Content-Type"] == "image/svg+xml"
        assert "<path" in text(picture)
        assert stolen.status_code == 409

    def test_keep_the_same_key_when_a_code_was_wrong(self, as_grace):
        app, form = pending_app(as_grace)

        reply = as_grace.post(reverse("factor_app"), {**form, "app_code": app.wrong_code(), "password": make.PASSWORD})

        assert reply.status_code == 422
        assert app.secret in text(reply).replace(" ", "")

    def test_add_a_passkey_with_a_code_of_the_app(self, grace, as_grace):
        app = given_to(grace)
        options = json.loads(as_grace.get(reverse("factor_passkey_challenge")).content)
        made = passkey.Passkey().create(options["publicKey"]["challenge"])

        reply = as_grace.post(reverse("factor_passkey"), {
            "name": "my laptop", "credential": json.dumps(made), "made_for": options["challenge"], "code": app.code(),
        })  # fmt: skip

        assert reply.status_code == 302
        assert "my laptop" in text(as_grace.get(reverse("factors")))

    @pytest.mark.parametrize(
        "spoilt",
        [
            lambda made: "[" * 5_000,
            lambda made: '{"response": ' * 1_500,
            lambda made: json.dumps({**made, "note": "\0"}),
            lambda made: json.dumps({**made, "note": "\ud800"}),
            lambda made: json.dumps(with_attestation(made, b"\x81" * 5_000)),  # a list in a list in a list ...
            lambda made: json.dumps(with_attestation(made, b"\x1b\x00")),  # eight bytes follow, says the first
        ],
        ids=["deep", "deep object", "nul", "half a character", "deep attestation", "cut off"],
    )
    def test_take_no_passkey_in_bytes_that_nobody_can_read(self, grace, as_grace, spoilt):
        app = given_to(grace)
        options = json.loads(as_grace.get(reverse("factor_passkey_challenge")).content)
        made = passkey.Passkey().create(options["publicKey"]["challenge"])

        reply = as_grace.post(reverse("factor_passkey"), {
            "name": "mine", "credential": spoilt(made), "made_for": options["challenge"], "code": app.code(),
        })  # fmt: skip

        assert reply.status_code == 422
        assert "does not fit what it was asked" in text(reply)

    def test_say_to_make_the_passkey_first_and_link_to_no_hidden_field(self, grace, as_grace):
        page = as_grace.post("/preferences/factors/passkeys/", {"name": "laptop"})

        assert page.status_code == 422
        assert "<li>Press “Make a passkey on this device” first.</li>" in page.content.decode()
        assert "#id_credential" not in page.content.decode()

    def test_show_recovery_codes_once(self, grace, as_grace):
        app = given_to(grace)

        made = text(as_grace.post(reverse("factor_recovery_codes"), {"code": app.code()}))
        codes = re.findall(r"<code>(\d{8})</code>", made)

        assert len(codes) == 10
        assert codes[0] not in text(as_grace.get(reverse("factor_recovery_codes")))

    def test_remove_one_that_another_vouches_for(self, grace, as_grace):
        given_to(grace)
        by = person_of(as_grace)
        given = passkey.of(by).sign(by, OWN_FACTORS)
        app = Authenticator.objects.get(type="totp")

        reply = as_grace.post(reverse("factor_removal", args=[app.pk]), fields_of(given))

        assert reply.status_code == 302
        assert not Authenticator.objects.filter(pk=app.pk).exists()

    def test_refuse_to_remove_the_last_one_of_a_reviewer(self, grace, as_grace):
        app = given_to(grace)

        reply = as_grace.post(reverse("factor_removal", args=[Authenticator.objects.get().pk]), {"code": app.code()})

        assert reply.status_code == 409
        assert "your last factor" in text(reply)

    def test_of_others_are_not_there(self, grace, as_linus):
        given_to(grace)

        assert as_linus.get(reverse("factor_removal", args=[Authenticator.objects.get().pk])).status_code == 404

    @pytest.mark.parametrize("away", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
    def test_lead_back_to_no_other_site(self, as_grace, away):
        app, form = pending_app(as_grace)

        back = as_grace.post(reverse("factor_app"), {
            **form, "app_code": app.code(), "password": make.PASSWORD, "next": away,
        })  # fmt: skip

        assert back["Location"] == reverse("factors")


class TestTheAdministratorsPage:
    LIST = "admin:mfa_authenticator_changelist"

    def test_says_who_has_what_who_has_none_and_never_a_secret(self, grace, linus, as_boss):
        app = given_to(grace)

        page = text(as_boss.get(reverse(self.LIST)))

        assert "grace" in page
        assert "Reviewers without one: linus" in page
        assert app.secret not in page
        assert Authenticator.objects.get().data["secret"] not in page

    def test_tells_no_letter_of_a_secret(self, grace, as_boss):
        given_to(grace)

        replies = [as_boss.get(reverse(self.LIST), {"data__secret__startswith": start}) for start in ("g", "x")]

        assert [reply.status_code for reply in replies] == [400, 400]

    def test_resets_with_a_reason(self, grace, as_boss):
        given_to(grace)
        address = reverse("admin:mfa_authenticator_reset", args=[grace.pk])
        assert address in text(as_boss.get(reverse(self.LIST)))

        short = as_boss.post(address, {"why": "lost"})
        done = as_boss.post(address, {"why": "Lost the phone, called back at their desk"})

        assert (short.status_code, done.status_code) == (422, 302)
        assert not Authenticator.objects.exists()

    def test_offers_nobody_their_own(self, as_boss):
        passkey.of(person_of(as_boss))
        own = reverse("admin:mfa_authenticator_reset", args=[person_of(as_boss).user_id])

        assert own not in text(as_boss.get(reverse(self.LIST)))
        assert as_boss.post(own, {"why": "I would like another one"}).status_code == 403

    def test_has_no_page_of_a_factor_and_is_closed_to_others(self, grace, as_boss, as_grace):
        given_to(grace)
        one = reverse("admin:mfa_authenticator_change", args=[Authenticator.objects.get().pk])

        assert as_boss.get(one).status_code == 404
        assert as_grace.get(reverse(self.LIST)).status_code in {302, 403}
