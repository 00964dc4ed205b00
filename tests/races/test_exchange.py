"""An edit, a question or a person's result at the instant of an approval: one of the two happens, and it is what is recorded."""

import json

import pytest

from approvals.models import Decision
from approvals.operations import questions
from approvals.rules.signers import standing
from audit.actors import system
from audit.canonical import digest_text
from audit.refusals import Refusal
from orchestrator.gate.answer import answer_instead
from orchestrator.gate.edit import edit
from orchestrator.gate.redeem import redeem
from orchestrator.gate.snapshot import snapshot_of
from orchestrator.models import Action
from tests import worlds as make
from tests.races.racing import approve, race, races
from tests.signing import voice

RACES = 100
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(300)]


def ended(request, outcomes):
    """Both after the race, and that exactly one of two was refused."""
    assert [one for one in outcomes if one is not None and not isinstance(one, Refusal)] == []
    assert sum(one is None for one in outcomes) == 1
    request.refresh_from_db()
    action = Action.objects.get(pk=request.subject_id)
    assert request.digest == action.digest == digest_text(snapshot_of(action)) == digest_text(request.snapshot)
    return request, action


class TestEditAgainstApprove:
    def test_sends_what_was_signed_or_waits_edited_and_unsigned(self):
        world, seen = make.world(), set()
        for _ in races(RACES, until=lambda: len(seen) == 2):
            request = make.request(world)
            amount = json.loads(request.snapshot)["arguments"]["amount"]
            outcomes = race(
                approve(request, world.grace),
                lambda request=request, amount=amount: edit(
                    request_id=request.pk, by=world.linus, digest=request.digest, revision=1,
                    arguments={"amount": amount + 1_000_000},
                ),
            )  # fmt: skip
            request, action = ended(request, outcomes)
            seen.add(request.status)
            if request.status == "approved":
                assert (request.revision, action.status) == (1, "granted")
                assert redeem(action_id=action.pk, by=system("test")).arguments == {"amount": amount}
            else:
                assert (request.status, request.revision, action.status) == ("pending", 2, "held")
                assert not standing(request).complete
        assert seen == {"approved", "pending"}


class TestQuestionAgainstApprove:
    def test_is_asked_or_comes_too_late(self):
        world = make.world()
        for _ in races(RACES, at_least=30):
            request = make.request(world)
            outcomes = race(
                approve(request, world.grace),
                lambda request=request: questions.send_back(
                    request_id=request.pk, by=world.linus, digest=request.digest, revision=1, question="Why?"
                ),
            )
            request, action = ended(request, outcomes)
            assert (request.status, action.status) in {("approved", "granted"), ("sent_back", "sent_back")}
            assert Decision.objects.filter(request=request).count() == (request.status == "approved")


class TestResultAgainstApprove:
    def test_is_given_or_comes_too_late_and_never_both(self):
        world = make.world()
        for _ in races(RACES):
            request = make.request(world)
            outcomes = race(
                approve(request, world.grace),
                lambda request=request: answer_instead(
                    request_id=request.pk,
                    by=world.linus,
                    voice=voice(request, "duplicate", by=world.linus),
                    result={"paid": 0},
                ),
            )
            request, action = ended(request, outcomes)
            assert (request.status, action.status, action.result) in [
                ("approved", "granted", None), ("answered", "answered", {"paid": 0}),
            ]  # fmt: skip
            assert Decision.objects.filter(request=request).count() == 1


class TestTwoEdits:
    def test_of_one_revision_are_one_edit(self):
        world = make.world()
        for _ in races(RACES):
            request = make.request(world)

            def change(who, amount, request=request):
                return lambda: edit(
                    request_id=request.pk, by=who, digest=request.digest, revision=1, arguments={"amount": amount}
                )

            outcomes = race(change(world.grace, 10**6), change(world.linus, 10**7))
            request, _ = ended(request, outcomes)
            assert (request.revision, request.edits.count()) == (2, 1)
