"""I15: a decision that needs it is confirmed by a factor used within five minutes, bound to exactly this, once.

Whoever has stolen a session has everything a browser sends but the factor: each thing they could send instead is tried.
"""

from dataclasses import replace

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import DatabaseError, connection, transaction

from approvals import operations
from approvals.authentication import guessing, own_factors, step_up
from approvals.authentication.factors import Binding, Given
from approvals.authentication.step_up import NoFactor, NotConfirmed
from approvals.models import ApprovalRequest, BreakGlass, Confirmation, Decision
from approvals.operations import emergencies
from audit.models import AuditEvent
from audit.refusals import NotVisible, Refusal
from tests import make, passkey, worlds
from tests.authenticator import given_to

pytestmark = pytest.mark.django_db
REASON = "The plant stands still until this is paid"


@pytest.fixture
def world():
    return worlds.world()


@pytest.fixture
def wire(world):
    """Two people sign it."""
    return worlds.request(world, tool="wire")


@pytest.fixture
def app(world):
    return given_to(get_user_model().objects.get(pk=world.grace.user_id))


def bound(request):
    return Binding(request.pk, request.digest, request.revision)


def confirm(request, by, given, **other):
    return step_up.confirm(
        request_id=request.pk, by=by, given=given, **{"digest": request.digest, "revision": request.revision, **other}
    )


def approve(request, by, confirmation, act=operations.approve, reason="evidence_checked"):
    said = make.voice(request, reason)
    return act(request_id=request.pk, by=by, voice=replace(said, confirmation=confirmation and confirmation.pk))


def events(name):
    return AuditEvent.objects.filter(event=name)


class TestADualDecision:
    @pytest.mark.parametrize(
        ("act", "reason"), [(operations.approve, "evidence_checked"), (operations.reject, "wrong_amount")]
    )
    def test_is_refused_without_a_factor_whatever_the_verdict(self, world, wire, app, act, reason):
        with pytest.raises(NotConfirmed):
            approve(wire, world.grace, None, act, reason)

        assert not Decision.objects.exists()

    def test_says_so_to_somebody_who_has_none(self, world, wire):
        with pytest.raises(NoFactor) as refused:
            approve(wire, world.grace, None)

        assert "Second factors" in refused.value.remedy

    def test_is_recorded_with_factor_time_and_what_it_was_bound_to(self, world, wire, app):
        made = confirm(wire, world.grace, Given(code=app.code()))
        approve(wire, world.grace, made)

        stored = Decision.objects.get().confirmation
        assert (stored.kind, stored.digest, stored.revision) == ("totp", wire.digest, wire.revision)
        signed = events("approval_request.signed_approve").get()
        assert f'"confirmation":"{made.pk}"' in signed.data
        assert '"factor":"totp"' in signed.data
        assert made.at.isoformat() in signed.data
        assert events("person.confirmed").get().actor_name == "grace"

    def test_takes_a_passkey_as_well_as_a_code(self, world, wire):
        made = confirm(wire, world.grace, passkey.of(world.grace).sign(world.grace, bound(wire)))

        approve(wire, world.grace, made)

        assert Decision.objects.get().confirmation.kind == "webauthn"

    def test_cannot_be_stored_past_the_verbs_either(self, world, wire):
        with pytest.raises(DatabaseError, match="second factor"), transaction.atomic():
            Decision.objects.create(
                request=wire, person_id=world.grace.user_id, person_name="grace", verdict="approve",
                reason_code="other", digest=wire.digest, revision=wire.revision,
            )  # fmt: skip


class TestAStolenSession:
    """Each act of the thief: the code or assertion was the person's own, for something else or at another time."""

    def test_cannot_use_a_code_twice(self, world, wire, app):
        other, code = worlds.request(world, tool="wire"), app.code()
        confirm(wire, world.grace, Given(code=code))

        for request in (other, wire):
            with pytest.raises(NotConfirmed, match="used once already"):
                confirm(request, world.grace, Given(code=code))

    def test_cannot_replay_an_assertion(self, world, wire):
        given = passkey.of(world.grace).sign(world.grace, bound(wire))
        confirm(wire, world.grace, given)

        with pytest.raises(NotConfirmed, match="used once already"):
            confirm(wire, world.grace, given)

    def test_cannot_turn_an_assertion_to_another_request(self, world, wire):
        other = worlds.request(world, tool="wire")
        given = passkey.of(world.grace).sign(world.grace, bound(wire))

        with pytest.raises(NotConfirmed):
            confirm(other, world.grace, given)

    @pytest.mark.parametrize("other", [{"digest": "f" * 64}, {"revision": 2}], ids=["digest", "revision"])
    def test_cannot_turn_an_assertion_to_another(self, world, wire, other):
        given = passkey.of(world.grace).sign(world.grace, bound(wire))

        with pytest.raises(NotConfirmed):
            confirm(wire, world.grace, given, **other)

    def test_cannot_use_somebody_elses_assertion(self, world, wire):
        given = passkey.of(world.linus).sign(world.linus, bound(wire))
        passkey.of(world.grace)

        with pytest.raises(NotConfirmed):
            confirm(wire, world.grace, given)

    def test_cannot_use_an_assertion_made_on_another_site(self, world, wire):
        from approvals.authentication import factors

        options, note = factors.to_sign(by=world.grace, binding=bound(wire))
        phished = passkey.of(world.grace).get(options["challenge"], origin="https://holdpoint.example.net")

        with pytest.raises(NotConfirmed):
            confirm(wire, world.grace, Given(assertion=phished, challenge=note))

    @pytest.mark.parametrize("note", ["", "x", "WyJub25jZSIsIDFd:forged"])
    def test_cannot_bring_a_challenge_of_its_own(self, world, wire, note):
        given = passkey.of(world.grace).sign(world.grace, bound(wire))

        with pytest.raises(NotConfirmed):
            confirm(wire, world.grace, replace(given, challenge=note))

    @pytest.mark.parametrize("assertion", [{"id": 1}, {"response": []}, {"rawId": "x", "response": {"signature": 7}}])
    def test_meets_a_refusal_with_whatever_it_makes_up(self, world, wire, assertion):
        given = passkey.of(world.grace).sign(world.grace, bound(wire))

        with pytest.raises(NotConfirmed):
            confirm(wire, world.grace, replace(given, assertion=assertion))

    def test_cannot_use_a_confirmation_of_another_request(self, world, wire):
        made = passkey.confirmed(worlds.request(world, tool="wire"), world.grace)

        with pytest.raises(NotConfirmed, match="something else"):
            approve(wire, world.grace, made)

    def test_cannot_use_a_confirmation_of_an_earlier_revision(self, world):
        from orchestrator.gate.edit import edit

        wire = worlds.request(world, tool="wire")
        made = passkey.confirmed(wire, world.linus)
        edit(request_id=wire.pk, by=world.grace, digest=wire.digest, revision=1, arguments={"amount": 990_001})
        wire.refresh_from_db()

        with pytest.raises(NotConfirmed, match="something else"):
            approve(wire, world.linus, made)

    def test_cannot_use_somebody_elses_confirmation(self, world, wire):
        made = passkey.confirmed(wire, world.linus)
        passkey.of(world.grace)

        with pytest.raises(NotConfirmed):
            approve(wire, world.grace, made)

    def test_cannot_use_one_that_is_older_than_five_minutes(self, world, wire):
        made = passkey.confirmed(wire, world.grace)
        six_minutes_pass(made)

        with pytest.raises(NotConfirmed, match="five minutes"):
            approve(wire, world.grace, made)

    @pytest.mark.parametrize("act", [operations.approve, operations.reject])
    def test_cannot_use_one_of_a_factor_that_was_reset_since(self, world, wire, app, act):
        confirmation = confirm(wire, world.grace, Given(app.code()))
        root = make.person("root", staff=True)
        root.user_permissions.add(Permission.objects.get(codename="change_approvalpolicy"))
        own_factors.reset(
            user_id=world.grace.user_id, by=make.actor(root), why="Her phone was stolen; she came in person."
        )
        given_to(get_user_model().objects.get(pk=world.grace.user_id))

        with pytest.raises(NotConfirmed, match="was taken away since"):
            approve(
                wire,
                world.grace,
                confirmation,
                act,
                "evidence_checked" if act is operations.approve else "wrong_amount",
            )
        assert not Decision.objects.exists()

    def test_cannot_use_an_old_challenge(self, world, wire, monkeypatch):
        given = passkey.of(world.grace).sign(world.grace, bound(wire))
        monkeypatch.setattr("approvals.authentication.factors.FRESH_SECONDS", -1)

        with pytest.raises(NotConfirmed):
            confirm(wire, world.grace, given)

    def test_cannot_confirm_what_it_may_not_see(self, world, wire):
        with pytest.raises(NotVisible):
            confirm(wire, world.eve, passkey.of(world.eve).sign(world.eve, bound(wire)))

    def test_cannot_sign_with_a_recovery_code(self, world, wire, app):
        from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes

        codes = RecoveryCodes.activate(get_user_model().objects.get(pk=world.grace.user_id)).generate_codes()

        with pytest.raises(NotConfirmed):
            confirm(wire, world.grace, Given(code=codes[0]))


def six_minutes_pass(made):
    """The table takes no UPDATE; the test's owner of it lifts the trigger for the length of one."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE approvals_confirmation DISABLE TRIGGER approvals_confirmation_append_only")
        cursor.execute("UPDATE approvals_confirmation SET at = at - interval '6 minutes' WHERE id = %s", [made.pk])
        cursor.execute("ALTER TABLE approvals_confirmation ENABLE TRIGGER approvals_confirmation_append_only")


class TestADoubleClick:
    def test_with_one_code_is_one_decision_and_no_refusal(self, world, wire, app):
        code = app.code()
        approve(wire, world.grace, confirm(wire, world.grace, Given(code=code)))

        approve(wire, world.grace, confirm(wire, world.grace, Given(code=code)))

        assert Decision.objects.count() == 1

    def test_opens_no_second_decision(self, world, wire, app):
        code = app.code()
        approve(wire, world.grace, confirm(wire, world.grace, Given(code=code)))

        with pytest.raises(Refusal):
            approve(wire, world.grace, confirm(wire, world.grace, Given(code=code)), operations.reject, "wrong_amount")


class TestAConfirmation:
    def test_outlives_a_refusal_for_something_else(self, world, wire, app):
        made = confirm(wire, world.grace, Given(code=app.code()))
        with pytest.raises(Refusal):
            operations.approve(
                request_id=wire.pk, by=world.grace, voice=replace(make.voice(wire), critical="1", confirmation=made.pk)
            )

        approve(wire, world.grace, made)

        assert Decision.objects.get().confirmation == made

    def test_is_never_rewritten(self, world, wire):
        passkey.confirmed(wire, world.grace)

        with pytest.raises(DatabaseError), transaction.atomic():
            Confirmation.objects.update(digest="f" * 64)

    def test_breaks_a_glass_once_for_somebody_who_signed_before(self, world, wire):
        approve(wire, world.grace, passkey.confirmed(wire, world.grace))
        with pytest.raises(NotConfirmed):
            emergencies.break_glass(request_id=wire.pk, by=world.grace, voice=make.voice(wire), reason=REASON)

        made = passkey.confirmed(wire, world.grace)
        said = replace(make.voice(wire), confirmation=made.pk)
        emergencies.break_glass(request_id=wire.pk, by=world.grace, voice=said, reason=REASON)

        assert BreakGlass.objects.get().confirmation == made
        assert ApprovalRequest.objects.get().status == "approved"


class TestAPolicy:
    @pytest.fixture
    def one_signs(self, world):
        make.policy("careful", tool="pay", condition="", required=1, step_up="always")
        return worlds.request(world)

    def test_can_ask_for_it_where_one_signature_is_enough(self, world, one_signs, app):
        with pytest.raises(NotConfirmed):
            approve(one_signs, world.grace, None)

        approve(one_signs, world.grace, confirm(one_signs, world.grace, Given(code=app.code())))

        assert ApprovalRequest.objects.get().status == "approved"

    def test_cannot_take_it_from_a_two_person_act(self, world, app):
        make.policy("lax", tool="wire", condition="", required=1, step_up="tier")

        with pytest.raises(NotConfirmed):
            approve(worlds.request(world, tool="wire"), world.grace, None)

    def test_asks_nothing_where_it_says_nothing(self, world):
        approve(worlds.request(world), world.grace, None)

        assert Decision.objects.get().confirmation is None


class TestGuessing:
    def test_locks_after_five_wrong_codes_and_records_each(self, world, wire, app):
        for _ in range(guessing.IN_A_ROW):
            with pytest.raises(NotConfirmed):
                confirm(wire, world.grace, Given(code=app.wrong_code()))

        with pytest.raises(guessing.TooManyGuesses):
            confirm(wire, world.grace, Given(code=app.code()))

        assert events("person.factor_refused").count() == guessing.IN_A_ROW
        assert events("person.factor_locked").count() == 1

    def test_locks_for_longer_each_time_until_a_right_one(self, world, wire, app):
        from approvals.models import Guesses

        Guesses.objects.create(person_id=world.grace.user_id, wrong=2 * guessing.IN_A_ROW - 1)
        with pytest.raises(NotConfirmed):
            confirm(wire, world.grace, Given(code=app.wrong_code()))
        locked = Guesses.objects.get()
        length = locked.locked_until - events("person.factor_locked").get().at
        assert 29 < length.total_seconds() / 60 <= 30.1

        Guesses.objects.update(locked_until=None)
        confirm(wire, world.grace, Given(code=app.code()))

        assert Guesses.objects.get().wrong == 0

    def test_looks_at_five_guesses_of_a_hundred(self, world, wire, app):
        """The rest is turned away before anything is looked at, and so counts no further."""
        for _ in range(100):
            with pytest.raises(Refusal):
                confirm(wire, world.grace, Given(code=app.wrong_code()))

        assert events("person.factor_refused").count() == guessing.IN_A_ROW
