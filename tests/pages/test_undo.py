"""Undoing from the pages: what it would do, the button, how far it is, and how often it is needed."""

import json

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from approvals.models import ApprovalRequest
from audit.actors import system
from orchestrator.gate.propose import propose
from orchestrator.gate.redeem import redeem
from orchestrator.gate.report import report
from orchestrator.models import Action, Execution
from tests import worlds
from tests.engine.driving import approve
from tests.pages.asking import browser_of

WORKFLOW = """workflow: outside
version: 1.0.0
input: {type: object}
steps:
  - one: {tool: book, amount: 1}
  - two: {tool: book, amount: 2}
  - wire: {tool: wire_out, amount: 3}
"""
BACK = {"name": "unbook", "version": "1", "effect": "write", "tier": "customer_facing", "idempotency_class": "A",
        "title": "Unbook {amount}", "input_schema": worlds.AMOUNT, "entry": "handlers:pay"}  # fmt: skip
BOOK = {**BACK, "name": "book", "tier": "informational", "title": "Book {amount}", "compensate_with": "unbook"}
TOOLS = [
    BACK,
    BOOK,
    {**BOOK, "name": "wire_out", "effect": "irreversible", "title": "Wire {amount}", "compensate_with": ""},
]

SCRIPT = system("tests")

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(tmp_path):
    world = worlds.world()
    worlds.publish(tmp_path / "workflow", WORKFLOW, worlds.HANDLERS, tools=TOOLS)
    return world


@pytest.fixture
def execution(world):
    started = worlds.start(world, "outside")
    worlds.work()
    return Execution.objects.get(pk=started.pk)


def browser(name):
    return browser_of(get_user_model().objects.get(username=name))


@pytest.fixture
def as_ada(world):
    return browser("ada")


def address(execution):
    return reverse("execution_undos", args=[execution.pk])


def page_of(asking, url, **query):
    return asking.get(url, query).content.decode()


def undo(asking, execution, **more):
    booked = Action.objects.filter(execution_id=execution.pk, tool="book").values_list("pk", flat=True)
    return asking.post(address(execution), {"effects": list(booked), "reason": "wrong month", **more})


class TestTheLink:
    def test_stands_where_something_was_done_and_nowhere_else(self, execution, as_ada):
        assert "Undo…" in page_of(as_ada, execution.get_absolute_url())

        Action.objects.filter(execution_id=execution.pk).update(effect="read")

        assert "Undo…" not in page_of(as_ada, execution.get_absolute_url())


class TestThePage:
    def test_says_in_numbers_what_can_be_undone_and_what_cannot_and_why(self, execution, as_ada):
        page = page_of(as_ada, address(execution))

        assert "2 of 3 effects can be taken back" in page
        assert "At least 2 signatures" in page
        assert "1 effect cannot be taken back" in page
        assert "Cannot be undone: what it does is irreversible." in page
        effects = page.split('id="effects-table"')[1].split("</table>")[0]
        assert effects.index("Wire 3") < effects.index("Book 2") < effects.index("Book 1")

    def test_is_offered_when_the_execution_is_over(self, execution, as_ada):
        assert address(execution) in page_of(as_ada, execution.get_absolute_url())

    def test_sends_one_who_is_too_early_to_cancel_first(self, world, as_ada):
        running = worlds.start(world, "outside")

        page = page_of(as_ada, address(running))

        assert "Cancel it first" in page
        assert 'id="undo-form"' not in page
        assert address(running) not in page_of(as_ada, running.get_absolute_url())

    def test_chooses_the_one_effect_a_person_came_from(self, execution, as_ada):
        first = Action.objects.filter(execution_id=execution.pk).order_by("created_at").first()
        assert address(execution) in page_of(as_ada, first.get_absolute_url())

        form = page_of(as_ada, address(execution), action=str(first.pk)).split('id="undo-form"')[1]

        assert form.count("checked") == 1

    def test_is_not_there_for_strangers_and_not_for_reviewers(self, execution):
        assert browser("eve").get(address(execution)).status_code == 404
        assert browser("grace").get(address(execution)).status_code == 403
        assert undo(browser("eve"), execution).status_code == 404
        assert undo(browser("grace"), execution).status_code == 403
        assert not Execution.objects.undoing().exists()


class TestTheButton:
    def test_starts_an_execution_that_shows_what_it_undoes(self, execution, as_ada):
        reply = undo(as_ada, execution)

        run = Execution.objects.undoing().get()
        assert (reply.status_code, reply["Location"]) == (302, run.get_absolute_url())
        page = page_of(as_ada, run.get_absolute_url())
        assert "This execution takes back what" in page
        assert execution.get_absolute_url() in page
        assert address(run) not in page

    def test_needs_a_reason_and_an_effect(self, execution, as_ada):
        assert undo(as_ada, execution, reason="").status_code == 422
        assert undo(as_ada, execution, effects=[]).status_code == 422
        assert not Execution.objects.undoing().exists()

    def test_pressed_again_is_refused_with_who_and_when(self, execution, as_ada):
        undo(as_ada, execution)

        assert undo(as_ada, execution).status_code == 409
        assert "ada asked for this on" in page_of(as_ada, address(execution))

    def test_shows_how_far_it_is_on_the_execution_and_in_the_list(self, execution, world, as_ada):
        undo(as_ada, execution)
        worlds.work()
        page = page_of(as_ada, execution.get_absolute_url())
        assert "Compensating" in page
        assert "0 of 3 effects undone" in page
        assert "data-live" in page.split('id="execution"')[1].split(">")[0]

        for _ in range(2):
            waiting = ApprovalRequest.objects.get(status="pending")
            approve(waiting, world.grace)
            worlds.work()

        page = page_of(as_ada, execution.get_absolute_url())
        assert "Partly compensated" in page
        assert "2 of 3 effects undone" in page
        assert "Partly compensated" in page_of(as_ada, reverse("executions"))


class TestEvidence:
    def test_answers_for_every_effect_how_it_is_undone(self, execution, as_ada):
        page = page_of(as_ada, execution.get_absolute_url(), tab="evidence")

        assert page.count("Can be undone by unbook, which is itself gated.") == 2
        assert "Cannot be undone: what it does is irreversible." in page

    def test_leads_to_the_call_that_takes_an_effect_back(self, execution, as_ada):
        undo(as_ada, execution)
        worlds.work()

        told = as_ada.get(f"/api/v1/executions/{execution.pk}/evidence/").json()["undo"]

        back = Action.objects.get(undoes_id__isnull=False)
        assert {one["action"]: one["compensation"] for one in told if one["state"] == "under_way"} == {
            str(back.undoes_id): str(back.pk)
        }
        assert {one["compensation"] for one in told if one["state"] != "under_way"} == {None}

    def test_says_the_same_of_a_call_of_a_foreign_agent_wherever_it_is_asked(self, world, execution, as_ada):
        """Who is sent to the agent must not be told there that nothing takes it back."""
        names = {"book": "through that agent, by unbook", "pay": "Cannot be undone: no compensating tool is registered"}
        for tool, how in names.items():
            call = propose(tool=tool, arguments={"amount": 7}, agent="clerk", unit_id=world.unit.pk,
                           execution_id=execution.pk, by=SCRIPT)  # fmt: skip
            if call.approval_id:
                approve(ApprovalRequest.objects.get(pk=call.approval_id), world.grace)
            ticket = redeem(action_id=call.pk, by=SCRIPT)
            report(action_id=call.pk, fence=ticket.fence, outcome="success", result={}, by=SCRIPT)

            pack = as_ada.get(f"/api/v1/executions/{execution.pk}/evidence/").json()
            told = [
                *(one["how"] for one in pack["undo"] if one["action"] == str(call.pk)),
                page_of(as_ada, call.get_absolute_url()),
                page_of(as_ada, execution.get_absolute_url(), tab="evidence"),
                page_of(as_ada, address(execution)),
            ]
            assert [how in text for text in told] == [True] * 4


class TestTheRate:
    def test_stands_beside_the_executions_by_workflow(self, execution, as_ada):
        undo(as_ada, execution)

        page = page_of(as_ada, reverse("rollbacks"))

        assert "100.00 %" in page.split('id="rollback-rows"')[1]
        assert reverse("rollbacks") in page_of(as_ada, reverse("executions"))

    def test_is_empty_for_strangers(self, execution):
        assert "No execution ended in this range" in page_of(browser("eve"), reverse("rollbacks"))


class TestTheApi:
    def post(self, asking, execution, **body):
        return asking.post(
            f"/api/v1/executions/{execution.pk}/undos/", json.dumps({"reason": "wrong month", **body}),
            content_type="application/json", headers={"Idempotency-Key": "one"},
        )  # fmt: skip

    def test_starts_an_undo_once_for_one_key(self, execution, as_ada):
        first, second = self.post(as_ada, execution), self.post(as_ada, execution)

        assert (first.status_code, first.json()["workflow"]) == (201, "undo:outside")
        assert second.json()["id"] == first.json()["id"]
        assert Execution.objects.undoing().count() == 1

    def test_says_why_an_effect_cannot_be_undone(self, execution, as_ada):
        wire = Action.objects.get(execution_id=execution.pk, tool="wire_out")

        reply = self.post(as_ada, execution, actions=[str(wire.pk)])

        assert (reply.status_code, reply.json()["code"]) == (409, "cannot_be_undone")
        assert "irreversible" in reply.json()["detail"]

    def test_is_not_there_for_strangers(self, execution):
        assert self.post(browser("eve"), execution).status_code == 404
