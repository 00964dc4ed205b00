"""Signers, editors and sweepers at the same instant: one seat is taken once, and nobody activates what they have not read."""

import pytest

from approvals.models import ApprovalPolicy, ApprovalRequest, Decision, ReviewerGroup
from approvals.operations.escalation import escalate_due
from approvals.rules.signers import NotNeeded
from audit.actors import system
from audit.definitions import ChangedSinceRead, activate, digest_of, draft, edit
from audit.lifecycle import database_now
from audit.models import AuditEvent
from audit.refusals import Refusal
from tests import worlds as make
from tests.races.racing import approve, race, races

RACES = 60

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(300)]


def in_force(row):
    draft(row, by=make.SETUP)
    activate(row, by=make.SETUP)
    return row


def group(name, *members, version=1):
    ids = [member.user_id for member in members]
    return in_force(ReviewerGroup(name=name, title=name.capitalize(), version=version, member_ids=ids))


class TestASeat:
    def test_is_taken_by_one_of_two_people_who_sign_at_once(self):
        world = make.world()
        group("finance", world.grace, world.linus)
        group("risk", world.eve)
        needs = [{"groups": [name], "count": 1} for name in ("finance", "risk")]
        in_force(ApprovalPolicy(name="both", tool="pay", reason="both", needs=needs))
        for _ in races(RACES):
            request = make.request(world)
            outcomes = race(approve(request, world.grace), approve(request, world.linus))

            assert sorted(type(outcome) for outcome in outcomes if outcome) == [NotNeeded]
            assert Decision.objects.filter(request=request).count() == 1
            assert ApprovalRequest.objects.get(pk=request.pk).status == "pending"


class TestADraft:
    def test_edited_while_it_is_activated_comes_into_force_only_as_it_was_read(self):
        world = make.world()
        for number in races(RACES):
            row = ApprovalPolicy(name=f"rule-{number}", tool="pay", required=2, reason="as read")
            draft(row, by=world.ada)
            read = digest_of(row)
            changed = ApprovalPolicy.objects.get(pk=row.pk)
            changed.required = 0

            outcomes = race(
                lambda row=row, read=read: activate(row, by=world.grace, read=read),
                lambda changed=changed: edit(changed, by=world.ada, changed=["required"]),
            )

            assert all(outcome is None or isinstance(outcome, Refusal) for outcome in outcomes)
            assert sum(outcome is None for outcome in outcomes) == 1
            row.refresh_from_db()
            assert (row.status, row.required) in {("active", 2), ("draft", 0)}
            assert outcomes[0] is None or isinstance(outcomes[0], ChangedSinceRead)


class TestAnOverdueRequest:
    def test_is_noted_once_by_two_sweepers(self):
        world = make.world()
        group("seniors", world.grace)
        in_force(ApprovalPolicy(name="slow", tool="pay", reason="slow", on_timeout="escalate", escalate_to="seniors"))
        sweeper = system("test")
        for _ in races(RACES):
            request = make.request(world)
            ApprovalRequest.objects.filter(pk=request.pk).update(decide_by=(now := database_now()), next_notice_at=now)
            race(*[lambda: escalate_due(by=sweeper)] * 2)
            escalate_due(by=sweeper)

            notes = AuditEvent.objects.filter(object_id=request.pk)
            assert notes.filter(event="approval_request.overdue").count() == 1
            assert notes.filter(event="approval_request.escalated").count() == 1
