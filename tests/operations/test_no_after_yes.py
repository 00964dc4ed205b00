"""Whoever signed and then sees that it is wrong: a "no" while somebody else has still to sign, and never after that."""

from importlib import import_module

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from approvals import operations as approvals
from approvals.models import ApprovalRequest, Decision
from approvals.operations import claims
from approvals.operations.voices import TooLate
from approvals.rules.permissions import AlreadySigned, OwnRequest
from audit.models import AuditEvent
from audit.refusals import Stale
from orchestrator.models import Action
from tests import make as people
from tests import worlds as make
from tests.signing import voice

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return make.world()


def yes(request, who):
    return approvals.approve(request_id=request.pk, by=who, voice=voice(request, by=who))


def no(request, who):
    return approvals.reject(request_id=request.pk, by=who, voice=voice(request, "wrong_amount", "Fraud", by=who))


@pytest.fixture
def signed(world):
    """Two have to sign; grace has."""
    request = make.request(world, tool="wire")
    yes(request, world.grace)
    return request


def voices(request):
    return [(said.person_name, said.verdict) for said in request.decisions.order_by("at", "id")]


class TestTheFirstSigner:
    def test_rejects_what_waits_for_somebody_else(self, world, signed):
        no(signed, world.grace)

        signed.refresh_from_db()
        action = Action.objects.get(pk=signed.subject_id)
        assert (signed.status, action.status) == ("rejected", "rejected")
        assert voices(signed) == [("grace", "approve"), ("grace", "reject")]
        assert action.message.endswith("; rejected by grace: Wrong amount: Fraud")
        told = AuditEvent.objects.filter(object_id=signed.pk, event__startswith="approval_request.").order_by("id")
        assert [event.event.partition(".")[2] for event in told][-3:] == ["signed_approve", "signed_reject", "rejected"]
        with pytest.raises(Stale, match="already rejected"):
            yes(signed, world.linus)

    def test_rejects_although_the_open_signature_is_held_by_somebody_else(self, world, signed):
        claims.claim(request_id=signed.pk, by=world.linus)

        assert no(signed, world.grace).status == "rejected"

    def test_says_it_once(self, world, signed):
        said = voice(signed, "wrong_amount", by=world.grace)
        for _ in range(2):
            approvals.reject(request_id=signed.pk, by=world.grace, voice=said)

        assert Decision.objects.filter(request=signed).count() == 2

    def test_rejects_under_another_account_of_theirs(self, world, signed):
        other = people.person("gracie", "view", "review", of=world.unit)
        people.linked("grace", get_user_model().objects.get(pk=world.grace.user_id), other)

        assert no(signed, people.actor(other)).status == "rejected"

    def test_neither_signs_again_nor_asks_nor_claims(self, world, signed):
        said = voice(signed, "within_policy", by=world.grace)
        approvals.approve(request_id=signed.pk, by=world.grace, voice=said)  # the same yes, sent twice
        assert len(voices(signed)) == 1
        with pytest.raises(AlreadySigned):
            claims.claim(request_id=signed.pk, by=world.grace)

    def test_cannot_once_the_last_signature_is_in(self, world, signed):
        yes(signed, world.linus)

        with pytest.raises(Stale, match="already approved"):
            no(signed, world.grace)

    def test_cannot_when_the_time_is_over(self, world, signed):
        ApprovalRequest.objects.filter(pk=signed.pk).update(decide_by=signed.created_at)

        with pytest.raises(TooLate):
            no(signed, world.grace)

    def test_cannot_when_it_has_become_theirs(self, world, signed):
        ApprovalRequest.objects.filter(pk=signed.pk).update(excluded=[world.grace.key])

        with pytest.raises(OwnRequest):
            no(signed, world.grace)


@pytest.mark.django_db(transaction=True)
class TestTheWayBack:
    def test_leaves_the_stronger_rule_out_where_somebody_used_the_weaker_one(self, world, signed):
        no(signed, world.grace)
        migration = import_module("approvals.migrations.0047_no_after_yes")

        with connection.cursor() as cursor:
            cursor.execute(migration.BACK)
            cursor.execute("SELECT 1 FROM pg_constraint WHERE conname = %s", [migration.STRONGER])
            found = cursor.fetchall()

        assert (found, len(voices(signed))) == ([], 2)
