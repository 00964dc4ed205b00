"""Executions, approvals, dead letters, money and the trail over REST."""

import json
from decimal import Decimal
from hashlib import sha256
from threading import Thread
from uuid import uuid4

import pytest
from django.db import connection

from approvals.models import ApprovalRequest
from audit.models import AuditEvent
from budgets.models import LedgerEntry
from orchestrator.gate.redeem import redeem
from orchestrator.models import Execution, Step
from orchestrator.operations import executions, tokens
from orchestrator.operations.registry import import_agents, import_policies
from tests import make
from tests.api.conftest import IMPORTER, Caller, cancel_order, make_token, signed_in, voice

pytestmark = pytest.mark.django_db
JOINED, OWN = "4bf92f35-77b3-4da6-a3ce-929d0e0e4736", "01a220fa-a7e9-7751-a527-ed56539bc948"


@pytest.fixture
def finance(db, other_unit):
    """A machine of the finance unit, where `make` puts its executions."""
    make.execution()
    make.person("operator")
    import_agents([{"name": "runner", "owner": "operator", "unit": "finance"}], by=IMPORTER, file="agents.json")
    return Caller(tokens.issue("runner", "finance", list(tokens.SCOPES), 1)[0])


def assert_follow_from_each_other(events):
    """Computed by whoever holds nothing but these."""
    before = b""
    for number, event in enumerate(events, start=1):
        before = sha256(before + event["hashed"].encode()).digest()
        told = json.loads(event["hashed"])
        assert (before.hex(), event["seq"]) == (event["hash"], number)
        assert [told[place] for place in (0, 1, 3, 4, 5)] == [
            event[key] for key in ("stream", "seq", "id", "event", "actor")
        ]


class TestExecutions:
    def test_start_follow_and_stop(self, finance):
        status, started, _ = finance.post(
            "executions/",
            {"workflow": "closing", "input": {"month": "2026-10"}, "unit": "finance", "business_key": "k"},
        )
        path = f"executions/{started['id']}/"

        assert (status, started["status"], started["unit"], started["business_key"]) == (201, "queued", "finance", "k")
        assert finance.get(path)[1] == started
        steps = finance.get(f"{path}steps/")[1]["results"]
        assert [step["position"] for step in steps] == list(range(len(steps)))
        status, stopped, _ = finance.post(f"{path}cancellations/", {"reason": "Wrong month"})
        assert (status, stopped["status"]) == (200, "cancelled")
        assert finance.post(f"{path}cancellations/", {"reason": "Again"})[0] == 409

    @pytest.mark.parametrize(("envelope", "trace"), [({}, JOINED), ({"trace_id": OWN}, OWN)])
    def test_join_the_trace_of_their_caller_unless_the_envelope_names_one(self, finance, envelope, trace):
        body = {"workflow": "closing", "input": {}, "envelope": envelope}
        header = f"00-{JOINED.replace('-', '')}-00f067aa0ba902b7-01"
        started = finance.post("executions/", body, traceparent=header)[1]

        assert started["trace_id"] == trace

    def test_are_started_once_under_one_key(self, finance):
        body = {"workflow": "closing", "input": {"month": "2026-10"}}
        before = Execution.objects.count()

        first = finance.post("executions/", body, **{"Idempotency-Key": "k"})[1]
        second = finance.post("executions/", body, **{"Idempotency-Key": "k"})[1]

        assert first["id"] == second["id"]
        assert Execution.objects.count() == before + 1

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"workflow": "closin", "input": {}}, "/workflow"),
            ({"workflow": "closing", "input": {}, "unit": "elsewhere"}, "/unit"),
            ({"workflow": "closing", "input": []}, "/input"),
            (
                {"workflow": "closing", "input": {"month": "2026-10"}, "envelope": {"confidence": 2}},
                "/envelope/confidence",
            ),
            ({"workflow": "closing", "input": {"month": "2026-10"}, "envelope": {"hops": 2}}, "/envelope"),
        ],
    )
    def test_name_what_is_wrong(self, finance, body, pointer):
        status, problem, _ = finance.post("executions/", body)

        assert (status, problem["errors"][0]["pointer"]) == (422, pointer)

    @pytest.mark.parametrize("envelope", [{"trace_id": "x"}, {"deadline": "tomorrow"}])
    def test_an_envelope_that_cannot_be_stored_is_the_senders_mistake(self, finance, envelope):
        body = {"workflow": "closing", "input": {"month": "2026-10"}, "envelope": envelope}

        assert finance.post("executions/", body)[0] == 422

    @pytest.mark.parametrize(
        "deadline",
        ["9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+14:00", "2500-01-01T00:00:00Z", "2027-01-01T00:00:00"],
    )
    def test_a_deadline_that_no_clock_will_show_is_refused_and_nothing_is_stored(self, finance, deadline):
        """PostgreSQL takes years that Python cannot read back: one such row made lists and whole claims fail."""
        before = Execution.objects.count()
        body = {"workflow": "closing", "input": {"month": "2026-10"}, "envelope": {"deadline": deadline}}

        status, problem, _ = finance.post("executions/", body)

        assert (status, problem["errors"][0]["pointer"]) == (422, "/envelope/deadline")
        assert Execution.objects.count() == before

    def test_of_other_units_are_not_there(self, finance, api):
        execution = finance.get("executions/")[1]["results"][0]["id"]

        for path in ("", "steps/", "evidence/"):
            assert api.get(f"executions/{execution}/{path}")[0] == 404
        assert api.post(f"executions/{execution}/cancellations/", {"reason": "x"})[0] == 404

    def test_a_person_without_the_operator_role_may_look_and_not_touch(self, finance):
        browser = signed_in(make.person("auditor", "view"))
        execution = browser.get("executions/")[1]["results"][0]["id"]

        status, problem, _ = browser.post(f"executions/{execution}/cancellations/", {"reason": "x"})

        assert (status, problem["code"]) == (403, "forbidden")

    def test_evidence_holds_the_whole_chain(self, finance):
        execution = make.execution("succeeded")

        pack = finance.get(f"executions/{execution.pk}/evidence/")[1]

        assert pack["execution"]["status"] == "succeeded"
        assert {step["status"] for step in pack["steps"]} == {"success"}
        assert [event["seq"] for event in pack["events"]] == list(range(1, len(pack["events"]) + 1))
        assert pack["complete"] is True

    def test_evidence_can_be_computed_anew_by_whoever_holds_it(self, finance):
        execution = make.execution("succeeded")

        events = finance.get(f"executions/{execution.pk}/evidence/")[1]["events"]

        assert_follow_from_each_other(events)

    def test_what_people_signed_can_be_computed_anew_as_well(self, finance):
        grace = make.person("grace", "view", "review", "audit")
        held = make.approved(ApprovalRequest.objects.get(execution_id=make.execution("waiting").pk), grace)

        events = signed_in(grace).get(f"audit/events/?stream=approval_request:{held.pk}")[1]["results"]

        assert "approval_request.signed_approve" in [event["event"] for event in events]
        assert_follow_from_each_other(events[::-1])

    def test_evidence_says_who_signed_by_more_than_a_name_and_how_each_effect_is_undone(self, finance):
        grace = make.person("grace", "view", "review")
        execution = make.execution("running")
        held = make.held_in(execution)
        make.approved(ApprovalRequest.objects.get(pk=held.approval_id), grace)
        redeem(action_id=held.pk, by=make.MAKER, fence=Step.objects.get(pk=held.step_id).attempt_id)

        pack = signed_in(grace).get(f"executions/{execution.pk}/evidence/")[1]

        (voice,) = pack["approvals"][0]["decisions"]
        assert (voice["person"], voice["person_name"]) == (f"user:{grace.pk}", "grace")
        how = "Cannot be undone yet: it is on its way, and no answer has come."
        assert pack["undo"] == [{"action": str(held.pk), "state": "cannot", "how": how, "compensation": None}]

    @pytest.mark.django_db(transaction=True)
    def test_evidence_is_of_one_moment_while_the_execution_goes_on(self):
        grace, ada = (
            make.person(name, "view", *more) for name, more in (("grace", ("review",)), ("ada", ("operate",)))
        )
        execution = make.execution("waiting")
        browser, cancelled = signed_in(grace), []

        def cancel():
            executions.cancel(execution_id=execution.pk, by=make.actor(ada), why="wrong month")
            connection.close()

        def meanwhile(execute, sql, *given):
            answer = execute(sql, *given)
            if 'FROM "audit_auditevent"' in sql and not cancelled:
                cancelled.append(Thread(target=cancel))
                cancelled[0].start()
                cancelled[0].join()
            return answer

        with connection.execute_wrapper(meanwhile):
            pack = browser.get(f"executions/{execution.pk}/evidence/")[1]

        execution.refresh_from_db()
        assert (execution.status, len(cancelled)) == ("cancelled", 1)
        told = {pack["execution"]["status"], *(call["status"] for call in pack["actions"])}
        assert told == {"waiting", "held"}
        assert {one["status"] for one in pack["approvals"]} == {"pending"}

    def test_evidence_shows_an_agent_its_own_calls_and_not_those_of_its_neighbours(self, finance):
        path = f"executions/{make.execution('waiting').pk}/evidence/"
        proposer = Caller(tokens.issue("poster", "finance", ["executions:read"], 1)[0])

        own, theirs = proposer.get(path)[1], finance.get(path)[1]

        assert [call["agent"] for call in [*own["actions"], *own["approvals"]]] == ["poster", "poster"]
        assert (theirs["actions"], theirs["approvals"]) == ([], [])
        assert (own["complete"], theirs["complete"]) == (True, False)

    def test_evidence_lists_nobody_who_gave_the_claim_back(self, finance):
        execution = make.execution("waiting")
        browser = signed_in(make.person("grace", "view", "review"))
        path = f"executions/{execution.pk}/evidence/"
        approval = browser.get(path)[1]["approvals"][0]["id"]

        browser.post(f"approvals/{approval}/claims/")
        assert browser.get(path)[1]["approvals"][0]["claims"][0]["person_name"]
        browser.post(f"approvals/{approval}/releases/")

        assert browser.get(path)[1]["approvals"][0]["claims"] == []


class TestApprovals:
    def test_show_the_digested_bytes_and_an_etag(self, api):
        action = api.post("actions/", cancel_order())[1]

        status, approval, headers = api.get(f"approvals/{action['approval']['id']}/")

        assert (status, approval["action"], approval["title"]) == (200, action["id"], "Cancel A1")
        assert approval["snapshot"]["arguments"] == {"order": "A1"}
        assert approval["digest"] == action["digest"]
        assert headers["ETag"] == f'"1-{action["digest"][:16]}"'

    def test_of_other_agents_are_not_there(self, api):
        action = api.post("actions/", cancel_order())[1]

        assert Caller(make_token("other")).get(f"approvals/{action['approval']['id']}/")[0] == 404

    @pytest.mark.parametrize("change", [{"digest": "0" * 64}, {"revision": 2}])
    def test_refuse_a_decision_over_something_else(self, api, grace, change):
        action = api.post("actions/", cancel_order())[1]
        browser, path = signed_in(grace), f"approvals/{action['approval']['id']}/"
        read = browser.get(path)[1]

        status, problem, _ = browser.post(f"{path}decisions/", voice(read) | change)

        assert (status, problem["code"]) == (409, "changed_since_viewed")

    @pytest.mark.parametrize("seconds", ["12.5", 12.5, -1, True])
    def test_refuse_a_decision_that_took_no_number_of_seconds(self, api, grace, seconds):
        action = api.post("actions/", cancel_order())[1]
        browser, path = signed_in(grace), f"approvals/{action['approval']['id']}/"
        said = voice(browser.get(path)[1]) | {"viewed": {"seconds": seconds}}

        status, problem, _ = browser.post(f"{path}decisions/", said)

        assert (status, problem["errors"][0]["pointer"]) == (422, "/viewed/seconds")

    def test_refuse_a_decision_with_an_old_etag(self, api, grace):
        action = api.post("actions/", cancel_order())[1]
        browser, path = signed_in(grace), f"approvals/{action['approval']['id']}/"
        read = browser.get(path)[1]

        old = browser.post(f"{path}decisions/", voice(read), **{"If-Match": '"0-old"'})
        current = browser.post(f"{path}decisions/", voice(read), **{"If-Match": browser.get(path)[2]["ETag"]})

        assert (old[0], old[1]["code"]) == (409, "changed_since_viewed")
        assert current[0] == 201

    @pytest.mark.parametrize("form", ["W/{}", '"x", {}', " * "])
    def test_take_every_legal_form_of_an_etag(self, api, grace, form):
        action = api.post("actions/", cancel_order())[1]
        browser, path = signed_in(grace), f"approvals/{action['approval']['id']}/"
        _, read, headers = browser.get(path)
        sent = {"If-Match": form.format(headers["ETag"]), "Idempotency-Key": "k"}

        first, again = (browser.post(f"{path}decisions/", voice(read), **sent) for _ in range(2))

        assert (first[0], again[0], again[2]["Idempotency-Replayed"]) == (201, 201, "true")
        assert first[2]["ETag"] == again[2]["ETag"] == headers["ETag"]

    def test_refuse_what_is_no_etag(self, api, grace):
        action = api.post("actions/", cancel_order())[1]
        browser, path = signed_in(grace), f"approvals/{action['approval']['id']}/"

        answer = browser.post(f"{path}decisions/", voice(browser.get(path)[1]), **{"If-Match": "1-abc"})

        assert (answer[0], answer[1]["code"]) == (400, "bad_parameter")

    def test_say_whose_signatures_and_which_answers_are_asked_and_take_nothing_less(self, api, grace):
        check = "Order found in the shop / ERP?"
        policy = {"name": "checked", "tool": "orders.cancel", "required": 1, "reason": "checked", "checks": [check],
                  "reason_codes": ["evidence_checked", "wrong_target"]}  # fmt: skip
        import_policies([policy], by=IMPORTER, file="policies.json")
        action = api.post("actions/", cancel_order())[1]
        browser, path = signed_in(grace), f"approvals/{action['approval']['id']}/"
        read = browser.get(path)[1]

        silent = browser.post(f"{path}decisions/", voice(read))
        no = browser.post(f"{path}decisions/", voice(read) | {"answers": {check: False}})
        other = browser.post(
            f"{path}decisions/", voice(read) | {"answers": {check: True}, "reason_code": "within_policy"}
        )
        yes = browser.post(f"{path}decisions/", voice(read) | {"answers": {check: True}})

        assert (read["checks"], read["needs"], read["reason_codes"]) == (
            [check], [], ["evidence_checked", "other", "wrong_target"],
        )  # fmt: skip
        pointer = f"/answers/{check.replace('/', '~1')}"
        assert [answer[1]["errors"][0]["pointer"] for answer in (silent, no, other)] == [
            pointer,
            pointer,
            "/reason_code",
        ]
        assert [answer[0] for answer in (silent, no, other, yes)] == [422, 422, 422, 201]
        assert yes[1]["decisions"][0]["answers"] == {check: True}

    def test_refuse_the_agents_owner(self, api, owner, world):
        make.grant(owner, "view", world)
        make.grant(owner, "review", world)
        action = api.post("actions/", cancel_order())[1]
        browser, path = signed_in(owner), f"approvals/{action['approval']['id']}/"

        status, problem, _ = browser.post(f"{path}decisions/", voice(browser.get(path)[1]))

        assert (status, problem["code"]) == (403, "own_request")

    @pytest.mark.parametrize(
        "change", [{"verdict": "maybe"}, {"reason_code": "because"}, {"revision": "1"}, {"reason_code": "other"}]
    )
    def test_refuse_a_decision_that_says_nothing(self, api, grace, change):
        action = api.post("actions/", cancel_order())[1]
        browser, path = signed_in(grace), f"approvals/{action['approval']['id']}/"

        status, problem, _ = browser.post(f"{path}decisions/", voice(browser.get(path)[1]) | change)

        assert status == 422
        assert problem["errors"][0]["pointer"] == (
            "/note" if change == {"reason_code": "other"} else f"/{next(iter(change))}"
        )


class TestDeadLetters:
    def test_name_owner_runbook_and_evidence_and_can_be_tried_again(self, finance):
        letter = make.dead_letter()

        found = finance.get("dead-letters/?status=open")[1]["results"][0]
        status, redriven, _ = finance.post(f"dead-letters/{letter.pk}/retries/")

        assert (found["id"], found["step"], found["execution"]) == (
            str(letter.pk), letter.step.key, str(letter.execution_id),
        )  # fmt: skip
        assert {"owner", "runbook", "evidence", "attempts", "failure_class"} <= set(found)
        assert (status, redriven["status"]) == (201, "redriven")
        assert finance.post(f"dead-letters/{letter.pk}/retries/")[0] == 409

    def test_of_other_units_are_not_there(self, finance, api):
        letter = make.dead_letter()

        assert api.get("dead-letters/")[1]["results"] == []
        assert api.post(f"dead-letters/{letter.pk}/retries/")[0] == 404


class TestMoney:
    CALL = {"cost": "0.0021", "currency": "USD", "input_tokens": 1000, "output_tokens": 20, "model": "m-1"}

    def test_adds_up_and_never_counts_the_unknown_as_zero(self, api):
        run = str(uuid4())
        for _ in range(3):
            assert api.post("usage/", self.CALL | {"execution": run})[0] == 201
        api.post("usage/", {"input_tokens": 5, "model": "m-2"})

        by_model = api.get("costs/?group_by=model")[1]["results"]

        assert [(row["group"], row["cost"], row["calls"], row["unknown"]) for row in by_model] == [
            ("m-1", "0.0063000000", 3, 0),
            ("m-2", None, 1, 1),
        ]
        assert api.get("costs/?group_by=execution")[1]["results"][0]["group"] == run
        assert api.get("costs/?group_by=unit")[1]["results"][0]["group"] == "support"
        assert api.get("costs/?from=2150-01-01T00:00:00Z")[1]["results"] == []

    def test_keeps_the_callers_reference_in_the_trail(self, api):
        entry = api.post("usage/", self.CALL | {"reference": "turn 7"})[1]

        assert "turn 7" in AuditEvent.objects.get(object_id=entry["id"]).data

    def test_keeps_how_the_model_was_called_for_the_trace(self, api):
        call = {
            "prompt": "triage v7", "settings": {"temperature": 0.2, "seed": None, "tools": True, "effort": "low"},
            "corpus": "rules-2026-11", "request": "ab" * 32, "outcome": "refused",
        }  # fmt: skip

        assert api.post("usage/", self.CALL | {"call": call})[0] == 201
        assert api.post("usage/", self.CALL | {"call": {}})[0] == 201

        assert [line.call for line in LedgerEntry.objects.order_by("at")] == [call, {"outcome": "ok"}]

    @pytest.mark.parametrize(
        ("call", "pointer"),
        [
            ({"settings": {"stop": ["a"]}}, "/call/settings"),
            ({"settings": {str(n): n for n in range(21)}}, "/call/settings"),
            ({"settings": {"n" * 61: 1}}, "/call/settings"),
            ({"settings": {"persona": "x" * 201}}, "/call/settings"),
            ({"settings": "hot"}, "/call/settings"),
            ({"request": "the prompt itself"}, "/call/request"),
            ({"outcome": "fine"}, "/call/outcome"),
            ({"prompts": "v7"}, "/call/prompts"),
        ],
    )
    def test_refuses_what_says_no_such_thing_and_keeps_no_line(self, api, call, pointer):
        status, problem, _ = api.post("usage/", self.CALL | {"call": call})

        assert (status, problem["errors"][0]["pointer"]) == (422, pointer)
        assert not LedgerEntry.objects.exists()

    def test_of_another_units_execution_is_as_if_it_were_not_there(self, api):
        """It would count against that execution's caps."""
        theirs = make.execution()

        status, problem, _ = api.post("usage/", self.CALL | {"execution": str(theirs.pk)})

        assert (status, problem["code"], problem["errors"][0]["pointer"]) == (422, "outside_unit", "/execution")
        assert not LedgerEntry.objects.exists()

    def test_is_counted_once_under_one_key(self, api):
        for _ in range(2):
            api.post("usage/", self.CALL, **{"Idempotency-Key": "turn-7"})

        assert LedgerEntry.objects.get().amount == Decimal("0.0021")

    @pytest.mark.parametrize(
        "body",
        [{}, {"cost": "1"}, {"cost": "1", "currency": "usd"}, {"input_tokens": -1}, {"input_tokens": "5"},
         {"input_tokens": 10**13}, {"cost": "1", "currency": "USD", "agent": "ghost"}, {"model": "m"}],
    )  # fmt: skip
    def test_refuses_nonsense(self, api, body):
        assert api.post("usage/", body)[0] in {400, 403, 422}
        assert LedgerEntry.objects.count() == 0

    @pytest.mark.parametrize("query", ["group_by=agnet", "from=yesterday", "form=x"])
    def test_refuses_unknown_questions(self, api, query):
        assert api.get(f"costs/?{query}")[0] == 400


class TestTrail:
    def test_shows_what_happened_to_an_object_with_its_hash(self, api):
        action = api.post("actions/", cancel_order())[1]

        found = api.get(f"audit/events/?object={action['id']}")[1]["results"]

        assert [event["event"] for event in found] == ["action.held", "action.proposed"]
        assert found[0]["data"] == {} or isinstance(found[0]["data"], dict)
        assert len(found[0]["hash"]) == 64

    def test_of_other_units_is_not_there(self, api, finance):
        action = api.post("actions/", cancel_order())[1]

        assert finance.get(f"audit/events/?object={action['id']}")[1]["results"] == []
