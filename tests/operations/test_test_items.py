"""Test items: off by default, alike to the eye, never carried out, revealed afterwards, and told to no agent."""

import json

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, connection, transaction

from approvals import operations as approvals
from approvals.models import ApprovalRequest, Notice, SecondLook, SeededItem
from approvals.notifying.spread import concerned
from approvals.operations import seeding
from approvals.operations.questions import send_back
from approvals.operations.seeding import NotSwitchedOn
from approvals.rules.permissions import OwnRequest
from audit.actors import agent, system
from audit.ids import new_id
from audit.models import AuditEvent
from audit.refusals import Forbidden, Invalid, NotVisible
from orchestrator.gate.answer import answer_instead
from orchestrator.gate.edit import edit
from orchestrator.gate.redeem import redeem
from orchestrator.models import Action
from orchestrator.operations import test_items
from tests import make as places
from tests import worlds as make
from tests.signing import voice

HINT = "The amount is ten times the invoice's"


@pytest.fixture
def world(db):
    return make.world()


@pytest.fixture
def boss(world):
    """An administrator of the unit."""
    user = places.person("boss", "view", "review", of=world.unit, staff=True)
    user.user_permissions.add(Permission.objects.get(codename="change_approvalpolicy"))
    return places.actor(user)


@pytest.fixture
def switched_on(world):
    return places.policy("pays", tool="pay", condition="", required=1, test_items=True)


def past(world):
    return Action.objects.get(pk=make.request(world).subject_id)


def write(source, by, *, amount=999_000, expected="bad", hint=HINT):
    arguments = {**json.loads(source.arguments), "amount": amount}
    return test_items.write(action_id=source.pk, arguments=arguments, expected=expected, hint=hint, by=by)


@pytest.fixture
def item(world, boss, switched_on):
    return write(past(world), boss)


def decide(item, by, *, approve=True):
    request = item.request
    reason = "evidence_checked" if approve else "wrong_amount"
    act = approvals.approve if approve else approvals.reject
    act(request_id=request.pk, by=by, voice=voice(request, reason, by=by))
    item.refresh_from_db()
    return ApprovalRequest.objects.get(pk=request.pk)


class TestWriting:
    def test_puts_a_copy_in_the_queue_that_looks_like_any_other_request(self, world, item):
        real = ApprovalRequest.objects.get(is_test=False)
        test = ApprovalRequest.objects.get(is_test=True)

        same = ("status", "unit_id", "unit_title", "tool", "tool_version", "agent", "effect", "reversible", "tier",
                "required", "requester", "requester_name", "revision", "execution_id", "replaces")  # fmt: skip
        assert [getattr(test, name) for name in same] == [getattr(real, name) for name in same]
        assert test.title == "Pay 999000"
        assert item.changes == [{"label": "amount", "before": real.title.removeprefix("Pay "), "after": "999000"}]

    def test_is_off_until_a_policy_says_otherwise(self, world, boss):
        with pytest.raises(NotSwitchedOn):
            write(past(world), boss)
        assert not ApprovalRequest.objects.filter(is_test=True).exists()

    def test_is_switched_on_for_a_whole_unit_by_a_policy_that_requires_nobody(self, world, boss):
        places.policy("unit-tests", unit_id=world.unit.pk, tool="*", condition="", required=0, test_items=True)

        item = write(past(world), boss)

        assert (item.request.required, item.status) == (1, "waiting")

    def test_keeps_to_what_its_execution_was(self, world, boss, tmp_path):
        places.policy("paying", tool="pay", condition="execution.workflow == 'paying'", required=2, test_items=True)
        make.publish(tmp_path / "paying", make.PAY_WORKFLOW, make.HANDLERS)
        _, request = make.held_execution(world)

        item = write(Action.objects.get(pk=request.subject_id), boss)

        assert (item.request.required, item.request.execution_id) == (2, None)
        assert item.request.reasons == request.reasons

    def test_is_off_again_with_the_policy(self, world, boss, switched_on):
        source = past(world)
        places.policy("pays", tool="pay", condition="", required=1, version=2)

        with pytest.raises(NotSwitchedOn):
            write(source, boss)

    def test_is_refused_to_everybody_but_administrators(self, world, switched_on):
        source = past(world)
        for person in (world.grace, world.ada, world.olga):
            with pytest.raises(Forbidden, match="administrators"):
                write(source, person)
        with pytest.raises(NotVisible):
            write(source, world.eve)

    def test_asks_what_there_is_to_see(self, world, boss, switched_on):
        with pytest.raises(Invalid):
            write(past(world), boss, hint="bad")

    def test_refuses_what_nobody_would_be_asked_about(self, world, boss):
        look = make.propose(tool="look", arguments={}, agent="clerk", unit_id=world.unit.pk, by=make.SETUP)

        with pytest.raises(Invalid, match="Nobody would be asked"):
            test_items.write(action_id=look.pk, arguments={}, expected="bad", hint=HINT, by=boss)

    def test_refuses_what_the_contract_denies(self, world, boss, switched_on):
        with pytest.raises(Invalid, match="denied without asking"):
            write(past(world), boss, amount="much")

    def test_keeps_its_author_from_deciding(self, world, boss, item):
        with pytest.raises(OwnRequest):
            decide(item, boss)

    def test_is_marked_in_the_trail_under_the_authors_name(self, boss, item):
        event = AuditEvent.objects.get(event="seeded_item.waiting")

        assert (event.actor, json.loads(event.data)["request"]) == (boss.key, str(item.request_id))


class TestCarryingOut:
    """It cannot happen, whatever was decided."""

    def test_has_nothing_to_redeem(self, world, item):
        before = Action.objects.count()
        request = decide(item, world.grace)

        assert Action.objects.count() == before
        assert request.status == "void"
        with pytest.raises(NotVisible):
            redeem(action_id=request.subject_id, by=make.SETUP)

    def test_of_an_approval_is_refused_before_it_could_be_void(self, world, item):
        """Even if the moment between approving and voiding lasted, and an action of that id turned up."""
        with connection.cursor() as cursor:
            cursor.execute("UPDATE approvals_approvalrequest SET status = 'approved', resolved_at = now(), "
                           "use_by = now() + interval '1 hour' WHERE id = %s", [item.request_id])  # fmt: skip
        request = item.request

        with pytest.raises(approvals.NotUsable, match="no approval waiting"):
            approvals.use(subject_id=request.subject_id, digest=request.digest, by=make.SETUP)

    def test_is_refused_by_the_database_to_hand_written_sql(self, item):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE approvals_approvalrequest SET status = 'approved', resolved_at = now() WHERE id = %s",
                           [item.request_id])  # fmt: skip
            with pytest.raises(IntegrityError, match="test_request_opens_nothing"), transaction.atomic():
                cursor.execute("UPDATE approvals_approvalrequest SET status = 'used' WHERE id = %s", [item.request_id])


class TestTheEnd:
    @pytest.mark.parametrize(
        ("expected", "approve", "status"),
        [("bad", True, "missed"), ("bad", False, "caught"), ("good", True, "passed"), ("good", False, "objected")],
    )
    def test_says_how_it_went(self, world, boss, expected, approve, status):
        places.policy("pays", tool="pay", condition="", required=1, test_items=True)
        item = write(past(world), boss, expected=expected)

        decide(item, world.grace, approve=approve)

        assert item.status == status
        assert AuditEvent.objects.filter(event=f"seeded_item.{status}", object_id=item.pk).exists()

    def test_waits_for_the_second_signature(self, world, boss):
        places.policy("wires", tool="wire", condition="", required=2, test_items=True)
        source = Action.objects.get(pk=make.request(world, tool="wire").subject_id)
        item = write(source, boss)

        decide(item, world.grace)
        assert item.status == "waiting"
        decide(item, world.linus, approve=False)

        assert item.status == "caught"

    def test_comes_with_an_edit_an_answer_or_a_question(self, world, boss, switched_on):
        acts = {
            "edited": lambda row: edit(request_id=row.pk, by=world.grace, digest=row.digest, revision=row.revision,
                                       arguments={"amount": 1}),
            "answered": lambda row: answer_instead(request_id=row.pk, by=world.grace, voice=voice(row), result={}),
            "asked": lambda row: send_back(request_id=row.pk, by=world.grace, digest=row.digest, revision=row.revision,
                                           question="Is it right?"),
        }  # fmt: skip
        for act, do in acts.items():
            item = write(past(world), boss)
            do(item.request)

            item.refresh_from_db()
            assert (item.status, item.act, item.request.__class__.objects.get(pk=item.request_id).status) == (
                "caught", act, "void",
            )  # fmt: skip

    def test_asking_about_something_good_is_no_mistake(self, world, boss, switched_on):
        item = write(past(world), boss, expected="good")
        row = item.request
        send_back(request_id=row.pk, by=world.grace, digest=row.digest, revision=row.revision, question="Is it right?")

        item.refresh_from_db()
        assert item.status == "passed"

    def test_comes_with_time_too(self, world, item):
        places.later("approvals_approvalrequest", "decide_by", item.request_id, 10**6)

        approvals.expire_overdue(by=system("test"))

        item.refresh_from_db()
        assert item.status == "lapsed"


class TestWhatItCountsIn:
    def test_is_not_drawn_for_a_second_look(self, world, item, settings):
        settings.SECOND_LOOK_PERCENT = 100
        decide(item, world.grace, approve=False)

        assert not SecondLook.objects.exists()

    def test_is_told_to_nobody_who_would_have_asked(self, world, item):
        decide(item, world.grace, approve=False)

        assert concerned(Notice.objects.get(kind="decided")) == set()

    def test_is_in_no_measured_reading_time(self, world, item):
        from approvals.queries.trial import _decisions

        decide(item, world.grace, approve=False)

        assert _decisions("*", [world.unit.pk]) == []


class TestTheTrail:
    def test_is_sealed_for_whoever_may_decide_until_it_is_decided(self, world, item):
        from django.contrib.auth import get_user_model

        from budgets.permissions import grant

        grant(get_user_model().objects.get(username="grace"), "audit", world.unit)
        grant(get_user_model().objects.get(username="ada"), "audit", world.unit)
        marks = AuditEvent.objects.filter(event__startswith="seeded_item.")

        assert not marks.visible_to(world.grace).exists()
        assert marks.visible_to(world.ada).exists()
        decide(item, world.linus)
        assert marks.visible_to(world.grace).exists()

    def test_tells_an_agent_nothing_of_it_ever(self, world, item):
        clerk = agent("clerk", unit_ids=frozenset({world.unit.pk}), scopes=frozenset({"read:audit"}))
        decide(item, world.grace)

        seen = AuditEvent.objects.visible_to(clerk)
        assert seen.exists()
        assert not seen.filter(object_id__in=[item.pk, item.request_id]).exists()


class TestAnUnknownAction:
    def test_is_not_there(self, boss):
        with pytest.raises(NotVisible):
            test_items.write(action_id=new_id(), arguments={}, expected="bad", hint=HINT, by=boss)
        assert not SeededItem.objects.exists()
        with pytest.raises(NotSwitchedOn):
            seeding.refuse_unless_switched_on("nothing v1")
