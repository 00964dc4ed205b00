"""A foreign agent's whole way through the gate: propose, wait, redeem, report; take back, undo."""

from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from approvals.models import ApprovalRequest
from audit.models import Span
from audit.refusals import Invalid
from budgets.models import LedgerEntry, Price
from orchestrator.engine.alerts.alerting import judge_all
from orchestrator.engine.sweep import sweep
from orchestrator.gate.edit import edit
from orchestrator.gate.propose import canonical_arguments
from orchestrator.models import Action, Alert, Tool
from orchestrator.operations import executions
from orchestrator.operations.registry import import_agents, import_tools
from tests import make
from tests.api.conftest import (
    IMPORTER,
    TOOLS,
    Caller,
    cancel_order,
    make_person,
    make_token,
    make_unit,
    signed_in,
    voice,
)

pytestmark = pytest.mark.django_db

LOOK = {"tool": "orders.get", "arguments": {"order": "A1"}}
RESTORE = {"tool": "orders.restore", "arguments": {"order": "A1"}}


def decide(api, user, action, verdict="approve", **more):
    browser = signed_in(user)
    path = f"approvals/{action['approval']['id']}/"
    status, approval, _ = browser.get(path)
    assert status == 200
    return browser.post(f"{path}decisions/", voice(approval, verdict, **more))


class TestPropose:
    def test_lets_a_read_pass_without_a_person(self, api):
        status, action, _ = api.post("actions/", LOOK)

        assert status == 201
        assert (action["verdict"], action["status"], action["tier"]) == ("allow", "granted", "informational")
        assert action["approval"] is None
        assert len(action["digest"]) == 64
        assert action["reasons"]
        assert action["unit"] == "support"

    def test_holds_a_write_and_says_why_and_until_when(self, api):
        status, action, _ = api.post("actions/", cancel_order(context={"reason": "They asked", "evidence": ["mail"]}))

        assert (status, action["verdict"], action["status"]) == (201, "hold", "held")
        assert action["approval"]["required"] == 1
        assert action["approval"]["url"].endswith(f"/api/v1/approvals/{action['approval']['id']}/")
        assert action["approval"]["expires_at"]
        assert "customer facing" in action["reasons"][-1]

    @pytest.mark.parametrize(
        ("change", "word"),
        [
            ({"tool": "orders.destroy"}, "orders.destroy"),
            ({"agent": "ghost"}, "ghost"),
            ({"arguments": {}}, "schema"),
        ],
    )
    def test_denies_what_nobody_registered_and_says_so(self, api, change, word):
        status, action, _ = api.post("actions/", cancel_order() | change)

        assert (status, action["verdict"], action["status"]) == (201, "deny", "denied")
        assert word in " ".join(action["reasons"])

    def test_refuses_to_speak_for_another_agent(self, api):
        status, problem, _ = api.post("actions/", LOOK | {"agent": "other"})

        assert (status, problem["code"]) == (403, "other_agent")

    def test_answers_a_foreign_unit_like_one_that_does_not_exist(self, api, other_unit):
        foreign = api.post("actions/", LOOK | {"unit": "elsewhere"})
        missing = api.post("actions/", LOOK | {"unit": "nowhere"})

        assert foreign[0] == missing[0] == 422
        assert foreign[1]["detail"].replace("elsewhere", "nowhere") == missing[1]["detail"]

    def test_names_every_field_that_is_wrong(self, api):
        status, problem, headers = api.post("actions/", {"arguments": [], "business_key": 7, "execution": "x"})

        assert (status, headers["Content-Type"]) == (422, "application/problem+json")
        assert [error["pointer"] for error in problem["errors"]] == [
            "/tool", "/arguments", "/business_key", "/execution",
        ]  # fmt: skip

    def test_points_at_a_misspelt_field(self, api):
        _, problem, _ = api.post("actions/", LOOK | {"contxt": {}})

        assert problem["errors"] == [
            {
                "pointer": "/contxt",
                "code": "unknown_field",
                "message": "There is no such field. Did you mean context?",
            }
        ]

    def test_takes_no_number_that_would_be_read_back_as_another(self):
        """2.5e18 is written as a whole number, and whole numbers are exact only up to 2^53."""
        with pytest.raises(Invalid, match="cannot be stored exactly"):
            canonical_arguments({"amount": 2.5e18})

    def test_the_same_hint_is_the_same_action(self, api):
        first = api.post("actions/", cancel_order(idempotency_hint="case-7"))[1]
        second = api.post("actions/", cancel_order(idempotency_hint="case-7"))[1]

        assert first["id"] == second["id"]


class TestFollow:
    def test_another_agents_action_is_not_there(self, api):
        action = api.post("actions/", LOOK)[1]
        other = Caller(make_token("other"))

        assert other.get(f"actions/{action['id']}/")[0] == 404
        assert other.get("actions/")[1]["results"] == []
        assert other.post(f"actions/{action['id']}/redemptions/")[0] == 404

    def test_a_token_of_another_unit_does_not_see_it(self, api):
        action = api.post("actions/", LOOK)[1]
        make_unit("elsewhere", "Elsewhere")
        stranger = {"name": "stranger", "owner": "owner", "unit": "elsewhere", "allowed_tools": ["*"]}
        import_agents([stranger], by=IMPORTER, file="agents.json")
        away = Caller(make_token("stranger", "elsewhere"))

        assert away.get(f"actions/{action['id']}/")[0] == 404

    def test_does_not_wait_for_what_the_caller_does_next(self, api):
        action = api.post("actions/", LOOK)[1]

        assert api.get(f"actions/{action['id']}/?wait=60")[1]["status"] == "granted"

    @pytest.mark.parametrize("wait", ["61", "-1", "x", "1e1", "٣"])
    def test_refuses_an_impossible_wait(self, api, wait):
        action = api.post("actions/", LOOK)[1]

        assert api.get(f"actions/{action['id']}/?wait={wait}")[0] == 400


class TestRedeemAndReport:
    def test_hands_out_the_stored_arguments_and_closes_under_the_fence(self, api):
        action = api.post("actions/", LOOK)[1]

        status, ticket, _ = api.post(f"actions/{action['id']}/redemptions/")
        outcome = {
            "fence": ticket["fence"],
            "outcome": "success",
            "result": {"state": "open"},
            "usage": {"cost": "0.0021", "currency": "USD", "input_tokens": 10, "output_tokens": 2, "model": "m"},
        }
        closed = api.post(f"actions/{action['id']}/outcomes/", outcome)

        assert (status, ticket["arguments"]) == (200, {"order": "A1"})
        assert ticket["idempotency_key"].startswith("hp-")
        assert (closed[0], closed[1]["status"], closed[1]["result"]) == (200, "succeeded", {"state": "open"})

    def test_refuses_a_second_redemption(self, api):
        action = api.post("actions/", LOOK)[1]
        api.post(f"actions/{action['id']}/redemptions/")

        status, problem, _ = api.post(f"actions/{action['id']}/redemptions/")

        assert (status, problem["code"]) == (409, "action_redeemed")

    def test_refuses_to_redeem_what_people_have_not_decided(self, api):
        action = api.post("actions/", cancel_order())[1]

        status, problem, _ = api.post(f"actions/{action['id']}/redemptions/")

        assert (status, problem["code"], problem["detail"]) == (409, "action_held", "People have not decided yet.")

    def test_refuses_a_stale_fence(self, api):
        action = api.post("actions/", LOOK)[1]
        api.post(f"actions/{action['id']}/redemptions/")

        status, problem, _ = api.post(
            f"actions/{action['id']}/outcomes/", {"fence": str(uuid4()), "outcome": "success"}
        )

        assert (status, problem["code"]) == (409, "stale")

    @pytest.mark.parametrize(
        ("outcome", "status", "failure"),
        [("business_error", "failed", "business"), ("system_error", "failed", "system"),
         # It only reads: nobody is asked what became of it.
         ("unknown", "failed", "unknown_outcome")],
    )  # fmt: skip
    def test_records_each_way_it_can_fail(self, api, outcome, status, failure):
        action = api.post("actions/", LOOK)[1]
        fence = api.post(f"actions/{action['id']}/redemptions/")[1]["fence"]

        closed = api.post(
            f"actions/{action['id']}/outcomes/",
            {"fence": fence, "outcome": outcome, "error": {"message": "Order not found"}},
        )[1]

        assert (closed["status"], closed["error"]) == (status, {"class": failure, "message": "Order not found"})

    def test_takes_its_times_where_it_names_a_run_of_another_system(self, api):
        action = api.post("actions/", LOOK | {"execution": str(uuid4())})[1]
        fence = api.post(f"actions/{action['id']}/redemptions/")[1]["fence"]

        status, closed, _ = api.post(
            f"actions/{action['id']}/outcomes/",
            {
                "fence": fence,
                "outcome": "success",
                "started_at": "2026-11-29T12:00:00Z",
                "ended_at": "2026-11-29T12:00:02Z",
            },
        )

        assert (status, closed["status"]) == (200, "succeeded")
        assert Span.objects.get(parent_id=action["id"]).trace_id == UUID(action["id"])

    @pytest.mark.parametrize("cost", [0.1, 1, "-1", "1e3", "NaN", "0.12345678901", "9" * 11, "", " 1"])
    def test_takes_money_as_decimal_text_only(self, api, cost):
        action = api.post("actions/", LOOK)[1]
        usage = {"cost": cost, "currency": "USD"}

        status, problem, _ = api.post(
            f"actions/{action['id']}/outcomes/", {"fence": str(uuid4()), "outcome": "success", "usage": usage}
        )

        assert (status, problem["errors"][0]["pointer"]) == (422, "/usage/cost")

    def test_a_tool_that_changed_voids_the_grant_for_good_even_under_a_key(self, api):
        action = api.post("actions/", LOOK)[1]
        Tool.objects.filter(name="orders.get").delete()

        key = {"Idempotency-Key": "k"}
        first = api.post(f"actions/{action['id']}/redemptions/", **key)

        assert (first[0], first[1]["code"]) == (409, "tool_changed")
        assert Action.objects.get(pk=action["id"]).status == "void"


class TestWhatIsNeverReported:
    """An agent redeems a call, dies, and says nothing of it."""

    def redeemed(self, api, call, seconds_ago=3_700):
        action = api.post("actions/", call)[1]
        fence = api.post(f"actions/{action['id']}/redemptions/")[1]["fence"]
        make.later("orchestrator_action", "redeemed_at", action["id"], seconds_ago)
        sweep()
        return action["id"], fence

    def test_is_unknown_after_an_hour_and_waits_for_a_person(self, api, world):
        pk, _ = self.redeemed(api, RESTORE)
        lane = signed_in(make_person("opal", world, "view", "operate")).get("unknown-outcomes/")[1]["results"]

        assert [one["id"] for one in lane] == [pk]
        assert "no report came" in api.get(f"actions/{pk}/")[1]["error"]["message"]

    @pytest.mark.parametrize("reported", [[], ["unknown"]])
    def test_is_told_to_the_owner_of_the_tool_as_is_an_outcome_the_agent_does_not_know(self, api, reported):
        # First: a sweep may look for alerts as well, once in so many seconds.
        Tool.objects.filter(name="orders.restore").update(owner="owner", runbook="Ask the shop")
        pk, fence = self.redeemed(api, RESTORE, seconds_ago=0 if reported else 3_700)
        for outcome in reported:
            api.post(f"actions/{pk}/outcomes/", {"fence": fence, "outcome": outcome})

        sweep()
        judge_all()

        alert = Alert.objects.get(kind="unknown_outcome")
        assert (alert.evidence, alert.owner_name, alert.runbook) == (f"/actions/{pk}/", "owner", "Ask the shop")
        assert alert.severity == "critical"

    def test_is_under_way_before_the_hour_is_over(self, api):
        pk, _ = self.redeemed(api, RESTORE, seconds_ago=3_000)

        assert api.get(f"actions/{pk}/")[1]["status"] == "redeemed"

    @pytest.mark.parametrize(
        ("outcome", "status"), [("success", "succeeded"), ("business_error", "failed"), ("system_error", "failed")]
    )
    def test_is_settled_by_a_report_that_comes_late_with_what_it_cost(self, api, outcome, status):
        pk, fence = self.redeemed(api, RESTORE)
        usage = {"cost": "0.5", "currency": "USD"}
        assert api.get(f"actions/{pk}/")[1]["status"] == "unknown"

        late = api.post(f"actions/{pk}/outcomes/", {"fence": fence, "outcome": outcome, "usage": usage})

        row = Action.objects.get(pk=pk)
        assert (late[0], row.status, row.in_doubt, row.next_look_at) == (200, status, False, None)
        assert LedgerEntry.objects.get(action_id=pk).amount == Decimal("0.5")
        assert api.post(f"actions/{pk}/outcomes/", {"fence": fence, "outcome": outcome})[0] == 409

    def test_costs_what_its_contract_says_once_when_the_report_comes_late(self, api):
        make._activated(
            Price(
                name="restore",
                kind="tool",
                subject="orders.restore",
                currency="EUR",
                per_call=2,
                valid_from="2020-01-01T00:00Z",
            )
        )
        pk, fence = self.redeemed(api, RESTORE)

        api.post(f"actions/{pk}/outcomes/", {"fence": fence, "outcome": "success"})

        assert [line.amount for line in LedgerEntry.objects.filter(action_id=pk)] == [2]

    def test_stays_what_a_person_has_said_meanwhile(self, api, world):
        pk, fence = self.redeemed(api, RESTORE)
        opal = signed_in(make_person("opal", world, "view", "operate"))
        said = {"verdict": "did_not", "code": "not_in_their_books", "note": "Looked it up"}
        assert opal.post(f"actions/{pk}/answers/", said)[0] in (200, 201)

        late = api.post(f"actions/{pk}/outcomes/", {"fence": fence, "outcome": "success"})

        assert (late[0], Action.objects.get(pk=pk).status) == (409, "granted")

    def test_stays_unknown_where_the_agent_said_so_itself(self, api):
        pk, fence = self.redeemed(api, RESTORE, seconds_ago=0)
        api.post(f"actions/{pk}/outcomes/", {"fence": fence, "outcome": "unknown"})

        assert api.post(f"actions/{pk}/outcomes/", {"fence": fence, "outcome": "success"})[0] == 409

    def test_asks_nobody_about_a_read_that_got_no_answer(self, api, world):
        pk, fence = self.redeemed(api, LOOK, seconds_ago=0)
        api.post(f"actions/{pk}/outcomes/", {"fence": fence, "outcome": "unknown"})
        judge_all()

        lane = signed_in(make_person("opal", world, "view", "operate")).get("unknown-outcomes/")[1]["results"]
        assert (lane, Alert.objects.filter(kind="unknown_outcome").count()) == ([], 0)

    def test_asks_nobody_about_a_read(self, api):
        pk, _ = self.redeemed(api, LOOK)

        assert api.get(f"actions/{pk}/")[1]["status"] == "redeemed"


class TestDecisionsReachTheProposer:
    def test_an_approved_action_can_be_redeemed_until_its_approval_lapses(self, api, grace):
        action = api.post("actions/", cancel_order())[1]

        status, approval, _ = decide(api, grace, action)
        ticket = api.post(f"actions/{action['id']}/redemptions/")

        assert (status, approval["status"]) == (201, "approved")
        assert approval["decisions"][0]["person_name"] == "grace"
        assert (ticket[0], ticket[1]["use_by"] is not None) == (200, True)

    def test_a_rejected_action_says_the_coded_reason_and_the_note(self, api, grace):
        action = api.post("actions/", cancel_order())[1]

        decide(api, grace, action, "reject", reason_code="wrong_target", note="That order is not theirs")
        rejected = api.get(f"actions/{action['id']}/")[1]

        assert rejected["status"] == "rejected"
        assert rejected["approval"]["reason_code"] == "wrong_target"
        assert "Wrong account or recipient: That order is not theirs" in rejected["reasons"][-1]
        assert api.post(f"actions/{action['id']}/redemptions/")[1]["code"] == "action_rejected"


class TestTheBusinessKey:
    def test_is_the_tools_own_so_that_reviewers_see_what_was_sent_before(self, db):
        make.tool(), make.agent()
        poster = Caller(make_token("poster", "finance"))
        call = {"tool": "erp.post_adjustment", "arguments": make.arguments(reference="ADJ-9")}
        first = poster.post("actions/", call)[1]
        make.approved(ApprovalRequest.objects.get(pk=first["approval"]["id"]), make.person("gail", "view", "review"))
        make.carried_out(Action.objects.get(pk=first["id"]))

        again = poster.post("actions/", call | {"business_key": "another one"})[1]

        assert again["business_key"] == "ADJ-9"
        assert [one["label"] for one in ApprovalRequest.objects.get(pk=again["approval"]["id"]).found] == [
            "sent before"
        ]

    def test_is_that_of_the_edited_call_once_a_reviewer_edited_it(self, db):
        gail = make.person("gail", "view", "review")
        make.carried_out(Action.objects.get(pk=make.approved(make.request(reference="ADJ-9"), gail).subject_id))
        asked = make.request(reference="ADJ-8")
        assert asked.found == []

        now = edit(
            request_id=asked.pk, by=make.actor(gail), digest=asked.digest, revision=asked.revision,
            arguments=make.arguments(reference="ADJ-9"),
        )  # fmt: skip

        assert [one["label"] for one in now.found] == ["sent before"]


class TestAboutAnExecutionThatIsOver:
    def test_people_are_still_asked_and_their_answer_reaches_the_agent(self, db):
        run = make.execution("succeeded")
        poster = Caller(make_token("poster", "finance"))
        call = {"tool": "erp.post_adjustment", "arguments": make.arguments(), "execution": str(run.pk)}
        action = poster.post("actions/", call)[1]

        sweep()
        make.approved(ApprovalRequest.objects.get(pk=action["approval"]["id"]), make.person("gail", "view", "review"))

        assert poster.get(f"actions/{action['id']}/")[1]["status"] == "granted"

    def test_nothing_more_is_done_in_one_that_was_cancelled(self, db):
        run = make.execution("waiting")
        poster = Caller(make_token("poster", "finance"))
        call = {"tool": "erp.post_adjustment", "arguments": make.arguments(), "execution": str(run.pk)}
        before = poster.post("actions/", {**call, "idempotency_hint": "before"})[1]
        executions.cancel(execution_id=run.pk, by=make.actor(make.person("operator")), why="The customer called")

        status, problem, _ = poster.post("actions/", call)

        assert (status, problem["code"], problem["detail"]) == (
            409, "execution_over", "The execution is cancelled: nothing more is done in it.",
        )  # fmt: skip
        assert poster.get(f"actions/{before['id']}/")[1]["status"] == "withdrawn"
        assert Action.objects.filter(execution_id=run.pk, status__in=["held", "granted"]).count() == 0


class TestWithdrawAndUndo:
    def test_the_proposer_takes_it_back(self, api):
        action = api.post("actions/", cancel_order())[1]

        status, withdrawn, _ = api.post(f"actions/{action['id']}/withdrawals/", {"reason": "They changed their mind"})

        assert (status, withdrawn["status"]) == (200, "withdrawn")
        assert api.get(f"approvals/{action['approval']['id']}/")[1]["status"] == "withdrawn"

    def test_a_reviewer_without_the_operator_role_cannot(self, api, grace):
        action = api.post("actions/", cancel_order())[1]

        status, problem, _ = signed_in(grace).post(f"actions/{action['id']}/withdrawals/", {"reason": "No"})

        assert (status, problem["code"]) == (403, "forbidden")

    def test_undo_proposes_the_compensating_tool(self, api, grace):
        action = api.post("actions/", cancel_order())[1]
        decide(api, grace, action)
        fence = api.post(f"actions/{action['id']}/redemptions/")[1]["fence"]
        api.post(f"actions/{action['id']}/outcomes/", {"fence": fence, "outcome": "success"})

        status, undoing, _ = api.post(f"actions/{action['id']}/undo/", {"reason": "By mistake"})

        assert (status, undoing["tool"], undoing["undoes"]) == (201, "orders.restore", action["id"])

    def test_undo_has_one_key_until_a_try_is_known_to_have_come_to_nothing(self, api):
        """Whoever proposes it, and however often it is taken back unsent: the other side must not do it twice."""
        import_tools([{**TOOLS[1], "tier": "informational", "version": "2"}], by=IMPORTER, file="tools.json")
        action = api.post("actions/", cancel_order())[1]
        fence = api.post(f"actions/{action['id']}/redemptions/")[1]["fence"]
        api.post(f"actions/{action['id']}/outcomes/", {"fence": fence, "outcome": "success"})

        def undoing():
            found = api.post(f"actions/{action['id']}/undo/", {"reason": "By mistake"})[1]
            return found["id"], Action.objects.get(pk=found["id"]).idempotency_key

        first, key = undoing()
        api.post(f"actions/{first}/withdrawals/", {"reason": "Not yet"})
        second, same = undoing()
        fence = api.post(f"actions/{second}/redemptions/")[1]["fence"]
        api.post(f"actions/{second}/outcomes/", {"fence": fence, "outcome": "business_error"})
        _, another = undoing()

        assert same == key
        assert another != key

    def test_undo_of_what_is_final_or_takes_back_itself_is_refused_as_its_page_says(self, api):
        tool = {"version": "2", "effect": "write", "tier": "informational"}
        tools = [
            {**tool, "name": "orders.burn", "effect": "irreversible", "compensate_with": "orders.restore"},
            {**tool, "name": "orders.hold", "compensate_with": "orders.restore"},
            {**tool, "name": "orders.restore", "compensate_with": "orders.hold"},
            {**tool, "name": "orders.flip"},
        ]
        import_tools(tools, by=IMPORTER, file="tools.json")

        def carried_out(action):
            fence = api.post(f"actions/{action['id']}/redemptions/")[1]["fence"]
            api.post(f"actions/{action['id']}/outcomes/", {"fence": fence, "outcome": "success"})
            return f"actions/{action['id']}/undo/"

        burnt = carried_out(api.post("actions/", {"tool": "orders.burn", "arguments": {}})[1])
        held = carried_out(api.post("actions/", {"tool": "orders.hold", "arguments": {}})[1])
        back = carried_out(api.post(held, {"reason": "By mistake"})[1])

        flipped = carried_out(api.post("actions/", {"tool": "orders.flip", "arguments": {}})[1])
        # As a contract of before could say.
        Tool.objects.filter(name="orders.flip").update(compensate_with="orders.flip")

        refused = {
            burnt: "what it does is irreversible",
            back: "it takes back another action",
            flipped: "the tool itself",
        }
        for address, says in refused.items():
            status, problem, _ = api.post(address, {"reason": "By mistake"})
            assert (status, problem["code"]) == (409, "cannot_be_undone")
            assert says in problem["detail"]

    def test_undo_of_what_never_happened_is_refused(self, api):
        action = api.post("actions/", LOOK)[1]

        assert api.post(f"actions/{action['id']}/undo/", {"reason": "x"})[1]["code"] == "cannot_be_undone"
