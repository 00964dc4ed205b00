"""One code or assertion at two doors at the same instant: it is good once."""

import pytest

from approvals import operations
from approvals.authentication import step_up
from approvals.authentication.factors import Binding
from approvals.models import Confirmation, Decision
from audit.refusals import Refusal
from tests import passkey
from tests import worlds as make
from tests.authenticator import given_to
from tests.races.racing import race, unexpected
from tests.signing import voice

RACES = 10

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


def confirming(request, by, given):
    return lambda: step_up.confirm(
        request_id=request.pk, by=by, digest=request.digest, revision=request.revision, given=given
    )


class TestOneCode:
    def test_at_two_requests_confirms_one(self):
        from django.contrib.auth import get_user_model

        from approvals.authentication.factors import Given

        world = make.world()
        app = given_to(get_user_model().objects.get(pk=world.grace.user_id))
        first, second = make.request(world, tool="wire"), make.request(world, tool="wire")
        given = Given(code=app.code())

        outcomes = race(*(confirming(request, world.grace, given) for request in (first, second, first, second)))

        assert unexpected(outcomes) == []
        assert sum(outcome is None for outcome in outcomes) == 1
        assert Confirmation.objects.count() == 1


class TestOneAssertion:
    def test_sent_twice_confirms_once(self):
        world = make.world()
        for _ in range(RACES):
            request = make.request(world, tool="wire")
            binding = Binding(request.pk, request.digest, request.revision)
            given = passkey.of(world.grace).sign(world.grace, binding)

            outcomes = race(confirming(request, world.grace, given), confirming(request, world.grace, given))

            assert unexpected(outcomes) == []
            assert sum(outcome is None for outcome in outcomes) == 1
            assert Confirmation.objects.filter(request=request).count() == 1


class TestOneConfirmation:
    def test_makes_one_decision_whether_it_approves_or_rejects(self):
        world = make.world()
        for _ in range(RACES):
            request = make.request(world, tool="wire")
            factor = passkey.confirmed(request, world.grace)
            yes = voice(request, confirmation=factor.pk)
            no = voice(request, "wrong_amount", confirmation=factor.pk)

            outcomes = race(
                lambda request=request, yes=yes: operations.approve(request_id=request.pk, by=world.grace, voice=yes),
                lambda request=request, no=no: operations.reject(request_id=request.pk, by=world.grace, voice=no),
            )

            assert unexpected(outcomes) == []
            assert sorted(isinstance(outcome, Refusal) for outcome in outcomes) == [False, True]
            assert Decision.objects.filter(confirmation=factor).count() == 1
