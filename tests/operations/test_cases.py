"""Rejections, edits and answers are kept as candidate cases, chosen by people, exported with stable ids."""

import json

import pytest
from django.db import DatabaseError, transaction

from approvals import operations as approvals
from approvals.models import EvaluationCase
from approvals.operations import cases
from audit.actors import agent
from audit.ids import new_id
from audit.models import AuditEvent
from audit.refusals import Forbidden, Invalid, NotVisible, Stale
from orchestrator.gate.answer import answer_instead
from orchestrator.gate.edit import edit
from tests import make as places
from tests import worlds as make
from tests.signing import voice


@pytest.fixture
def world(db):
    return make.world()


def rejected(world, note="The invoice says 20"):
    request = make.request(world)
    approvals.reject(request_id=request.pk, by=world.grace, voice=voice(request, "wrong_amount", note))
    return request


@pytest.fixture
def case(world):
    rejected(world)
    return EvaluationCase.objects.get()


def judge(case, by, *, accept=True, why="It happens often"):
    return cases.judge(case_id=case.pk, accept=accept, why=why, by=by)


class TestKeeping:
    def test_keeps_a_rejection_with_its_reason(self, world):
        request = rejected(world)

        case = EvaluationCase.objects.get()
        assert (case.kind, case.status, case.reason_code, case.note) == (
            "rejection", "candidate", "wrong_amount", "The invoice says 20",
        )  # fmt: skip
        assert (case.request_id, case.unit_id, case.digest, case.snapshot) == (
            request.pk, request.unit_id, request.digest, request.snapshot,
        )  # fmt: skip
        assert (json.loads(case.before).keys(), case.after) == ({"amount"}, "")
        assert AuditEvent.objects.filter(object_id=case.pk, event="evaluation_case.candidate").exists()

    def test_keeps_an_edit_with_both_arguments(self, world):
        request = make.request(world)
        before = json.loads(request.snapshot)["arguments"]
        edit(request_id=request.pk, by=world.grace, digest=request.digest, revision=1, arguments={"amount": 7_000},
             note="a nought too many")  # fmt: skip

        case = EvaluationCase.objects.get()
        assert (case.kind, case.digest, case.note) == ("edit", request.digest, "a nought too many")
        assert (json.loads(case.before), json.loads(case.after)) == (before, {"amount": 7_000})

    def test_keeps_an_answer_with_the_result_that_was_given(self, world):
        request = make.request(world)
        for _ in range(2):
            answer_instead(request_id=request.pk, by=world.grace, voice=voice(request), result={"paid": 3})

        case = EvaluationCase.objects.get()
        assert (case.kind, json.loads(case.after), case.reason_code) == ("answer", {"paid": 3}, "evidence_checked")

    def test_keeps_nothing_of_an_approval_or_of_time(self, world):
        request = make.request(world)
        approvals.approve(request_id=request.pk, by=world.grace, voice=voice(request))
        places.later("approvals_approvalrequest", "decide_by", make.request(world).pk, 10**6)
        approvals.expire_overdue(by=make.SETUP)

        assert not EvaluationCase.objects.exists()

    def test_is_undone_with_the_decision(self, world):
        with transaction.atomic():
            rejected(world)
            transaction.set_rollback(True)

        assert not EvaluationCase.objects.exists()

    def test_leaves_out_test_items(self, world):
        from django.contrib.auth.models import Permission

        from orchestrator.operations import test_items

        places.policy("pays", tool="pay", condition="", required=1, test_items=True)
        boss = places.person("boss", "view", of=world.unit, staff=True)
        boss.user_permissions.add(Permission.objects.get(codename="change_approvalpolicy"))
        source = make.request(world).subject_id
        item = test_items.write(
            action_id=source, arguments={"amount": 9}, expected="bad", hint="Far too little", by=places.actor(boss)
        )
        approvals.reject(request_id=item.request_id, by=world.grace, voice=voice(item.request, "wrong_amount"))

        assert not EvaluationCase.objects.exists()


class TestJudging:
    def test_accepts_with_a_reason(self, world, case):
        judge(case, world.linus)

        case.refresh_from_db()
        assert (case.status, case.judged_by_name, case.why) == ("accepted", "linus", "It happens often")
        assert list(EvaluationCase.objects.accepted()) == [case]

    def test_dismisses_also_what_was_accepted_and_for_good(self, world, case):
        judge(case, world.linus)
        judge(case, world.linus, accept=False, why="The tool is gone")

        with pytest.raises(Stale):
            judge(case, world.linus)
        assert not EvaluationCase.objects.accepted().exists()

    def test_twice_is_once(self, world, case):
        judge(case, world.linus)
        judge(case, world.grace)

        assert AuditEvent.objects.filter(event="evaluation_case.accepted").count() == 1

    @pytest.mark.parametrize("why", ["", "   ok  "])
    def test_asks_for_a_reason(self, world, case, why):
        with pytest.raises(Invalid):
            judge(case, world.linus, why=why)

    def test_is_refused_to_whoever_does_not_review(self, world, case):
        with pytest.raises(Forbidden):
            judge(case, world.ada)
        with pytest.raises(Forbidden):
            judge(case, agent("clerk", unit_ids=frozenset({world.unit.pk}), scopes=frozenset()))

    def test_of_another_unit_or_of_nothing_is_not_there(self, world, case):
        with pytest.raises(NotVisible):
            judge(case, world.eve)
        with pytest.raises(NotVisible):
            cases.judge(case_id=new_id(), accept=True, why="because", by=world.linus)

    def test_by_hand_written_sql_is_refused(self, case):
        with pytest.raises(DatabaseError):
            EvaluationCase.objects.filter(pk=case.pk).update(status="accepted")


class TestExporting:
    def test_writes_one_line_a_case_with_a_stable_id(self, world, case):
        text = cases.export(EvaluationCase.objects.all(), by=world.linus)

        line = json.loads(text)
        assert (line["id"], line["kind"], line["after"], line["note"]) == (
            str(case.pk), "rejection", None, "The invoice says 20",
        )  # fmt: skip
        assert isinstance(line["before"]["amount"], int)
        assert text == cases.export(EvaluationCase.objects.all(), by=world.linus)

    def test_is_recorded(self, world, case):
        cases.export(EvaluationCase.objects.all(), by=world.linus)

        event = AuditEvent.objects.get(event="evaluation_case.exported")
        assert (event.actor, event.unit_id, json.loads(event.data)) == (world.linus.key, world.unit.pk, {"cases": 1})
