"""Whoever may sign second learns nothing of the first signature: not by another account of theirs, and not by trying names."""

import pytest
from django.contrib.auth import get_user_model

from approvals import operations as approvals
from approvals.operations import assignments
from approvals.operations.assignments import CannotBeAsked
from approvals.queries import blind
from audit.models import AuditEvent
from tests import make as people
from tests import worlds as make
from tests.signing import voice

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return make.world()


@pytest.fixture
def signed(world):
    """Two have to sign; grace has."""
    request = make.request(world, tool="wire")
    approvals.approve(request_id=request.pk, by=world.grace, voice=voice(request, by=world.grace))
    return request


def account(actor):
    return get_user_model().objects.get(pk=actor.user_id)


class TestTheTrail:
    def signatures(self, reader, request):
        events = AuditEvent.objects.filter(object_id=request.pk, event__startswith="approval_request.signed_")
        return events.exclude(blind.sealed(reader))

    def test_keeps_the_first_signature_from_the_second_reviewer(self, world, signed):
        assert not self.signatures(world.linus, signed).exists()
        assert self.signatures(world.grace, signed).exists()

    def test_keeps_it_from_another_account_of_the_second_reviewer(self, world, signed):
        auditor = people.actor(people.person("ann", "view", of=world.unit))
        assert self.signatures(auditor, signed).exists()

        people.linked("linus", account(world.linus), account(auditor))

        assert not self.signatures(people.actor(account(auditor)), signed).exists()


class TestAsking:
    def test_somebody_who_has_signed_is_refused_in_the_words_of_every_other_reason(self, world, signed):
        for name in (world.grace, world.eve):
            with pytest.raises(CannotBeAsked) as refused:
                assignments.assign(request_id=signed.pk, to=name.user_id, by=world.linus)
            assert refused.value.message == f"{name.name} cannot sign this request. Choose somebody else."

    def test_says_why_to_somebody_who_has_signed_as_well(self, world, signed):
        with pytest.raises(CannotBeAsked, match="grace cannot sign this request: "):
            assignments.assign(request_id=signed.pk, to=world.grace.user_id, by=world.grace)
