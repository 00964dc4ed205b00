"""From two files to the ERP's books, through real processes: what fails is looked up, what matters is signed, nothing twice."""

import pytest
from django.db import connection

from approvals.models import ApprovalRequest
from approvals.operations import Changed, Voice, approve
from audit.refusals import Refusal
from orchestrator.models import Action, Attempt, Execution
from orchestrator.operations import dead_letters
from tests import make as people
from tests import trail
from tests.plant import fee, running_plant, sign, signing
from tests.worlds import wait_until

pytestmark = [pytest.mark.django_db(transaction=True)]
NUMBERS = iter(range(1, 1000))


@pytest.fixture
def plant(transactional_db, tmp_path, settings, postgres_server):
    trail.install()
    dsn = postgres_server.dsn(connection.settings_dict["NAME"])
    with running_plant(tmp_path, settings, dsn) as plant:
        yield plant
        plant.assert_each_posted_once()
    trail.assert_whole()


def attempts_of(execution):
    rows = Attempt.objects.filter(execution_id=execution.pk).order_by("claimed_at")
    return [(row.step.key, row.status) for row in rows.select_related("step")]


def requests_of(execution):
    return list(ApprovalRequest.objects.filter(execution_id=execution.pk, status="pending"))


def number_of(execution):
    return f"BS-{execution.business_key.split()[1]}"


class TestAnErpThatTimesOutAfterWritingHalf:
    def test_is_looked_up_and_that_step_alone_is_retried_with_the_same_key(self, plant):
        plant.erp.plan("timeout_after_partial", times=1, seconds=10, match={"kind": "bank_fee"})
        execution = plant.wait_for(plant.order(next(NUMBERS), "matched", "fee"))

        assert execution.status == "succeeded"
        assert [key for key, status in attempts_of(execution) if status == "failed"] == ["post"]
        assert len(attempts_of(execution)) == 7
        (posting,) = plant.erp.get("/books")["postings"]
        action = Action.objects.get(execution_id=execution.pk, tool="erp.post_adjustment")
        assert posting["idempotency_key"] == action.idempotency_key
        told = trail.story(execution.pk)
        assert told[told.index("action.unknown") :] == [
            "action.unknown", "attempt.failed", "step.system_error", "alert.unknown_outcome", "step.scheduled",
            "step.pending", "step.in_progress", "action.reconciled", "action.granted", "action.redeemed",
            "action.succeeded", "attempt.succeeded", "step.success", "step.in_progress", "attempt.succeeded",
            "step.success", "execution.succeeded",
        ]  # fmt: skip


@pytest.mark.slow
class TestEveryNastyWay:
    MODES = ("timeout_after_partial", "error_after_effect", "drop_reply", "slow", "down")

    def test_of_the_erp_leaves_one_posting_and_the_one_that_lasts_a_dead_letter(self, plant):
        for mode in self.MODES:
            number = next(NUMBERS)
            plant.erp.plan(mode, times=2, seconds=4, match={"amount": fee(number)})
            plant.order(number, "matched", "fee")
        lasting = next(NUMBERS)
        plant.erp.plan("down", times=99, match={"amount": fee(lasting)})
        doomed = plant.order(lasting, "fee")

        plant.wait_for(doomed, "dead_lettered", seconds=90)

        assert Execution.objects.filter(status="succeeded").count() == len(self.MODES)
        letter = doomed.dead_letters.get()
        assert (letter.component, letter.owner, letter.attempts) == ("erp.post_adjustment", "operator", 5)
        assert "503" in letter.message
        assert f"BS-{lasting}-fee" not in [line for line, _ in plant.postings()]

        plant.erp.plan("none")
        dead_letters.requeue(letter_id=letter.pk, by=plant.world.ada)
        assert plant.wait_for(doomed).status == "succeeded"

    def test_of_the_ledger_is_a_failure_and_not_an_empty_batch(self, plant):
        plant.ledger.plan("empty")

        execution = plant.wait_for(plant.order(next(NUMBERS), "matched", "fee"))

        assert execution.status == "succeeded"
        assert ("fetch", "failed") in attempts_of(execution)
        assert "alert.empty_result" in trail.story(execution.pk)


@pytest.mark.slow
class TestTheSameFilesAgain:
    def test_while_the_first_run_waits_for_its_signature_are_booked_once(self, plant):
        number = next(NUMBERS)
        first, second = [plant.wait_for(plant.order(number, "matched", "refund"), "waiting") for _ in range(2)]

        for execution in (first, second):
            (request,) = requests_of(execution)
            sign(request, plant.world.grace)
            assert plant.wait_for(execution).status == "succeeded"

        assert "1 adjustment posted" in first.output["summary"]
        assert "0 adjustments posted, 0 in the books already, 1 turned down" in second.output["summary"]
        assert "already carries this reference" in second.output["needs_attention"][0]


@pytest.mark.slow
class TestSignatures:
    def test_none_for_a_small_one_two_for_a_large_one_one_for_a_customers(self, plant):
        execution = plant.wait_for(plant.order(next(NUMBERS), "matched", "fee", "refund", "large"), "waiting")
        (large,) = requests_of(execution)
        # The bank's row stands beside the act, for whoever is asked whether the amount agrees with it.
        assert f"{number_of(execution)}-large" in [one["value"].get("reference") for one in large.found]
        sign(large, plant.world.grace)
        sign(large, plant.world.grace)
        large.refresh_from_db()
        assert (large.required, large.status, large.decisions.count()) == (2, "pending", 1)
        assert [line for line, _ in plant.postings()] == [f"{number_of(execution)}-fee"]

        sign(large, plant.world.linus)
        wait_until(lambda: requests_of(execution))
        (refund,) = requests_of(execution)
        assert refund.required == 1
        sign(refund, plant.world.grace)

        assert plant.wait_for(execution).status == "succeeded"
        assert "3 adjustments posted" in execution.output["summary"]

    @pytest.mark.slow
    def test_of_the_requester_and_of_the_agents_owner_do_not_count(self, plant):
        people.grant(people.get_user_model().objects.get(username="ada"), "review", plant.world.unit)
        operator = people.actor(people.get_user_model().objects.get(username="operator"))
        execution = plant.wait_for(plant.order(next(NUMBERS), "matched", "refund"), "waiting")
        (request,) = requests_of(execution)

        for person in (plant.world.ada, operator, plant.world.eve):
            with pytest.raises(Refusal):
                sign(request, person)

        sign(request, plant.world.grace)
        assert plant.wait_for(execution).status == "succeeded"

    @pytest.mark.slow
    def test_over_other_arguments_than_the_ones_waiting_are_refused(self, plant):
        execution = plant.wait_for(plant.order(next(NUMBERS), "matched", "refund"), "waiting")
        (request,) = requests_of(execution)

        with pytest.raises(Changed):
            approve(
                request_id=request.pk, by=plant.world.grace,
                voice=Voice(digest="0" * 64, revision=request.revision, reason_code="evidence_checked"),
            )  # fmt: skip

        sign(request, plant.world.grace)
        assert plant.wait_for(execution).status == "succeeded"

    @pytest.mark.slow
    def test_are_asked_again_when_the_account_changed_meanwhile(self, plant):
        execution = plant.wait_for(plant.order(next(NUMBERS), "matched", "refund"), "waiting")
        (first,) = requests_of(execution)
        plant.erp.ask("PATCH", "/accounts/4730", {"posting_limit": "90000.00"})

        sign(first, plant.world.grace)
        wait_until(lambda: requests_of(execution))

        first.refresh_from_db()
        assert first.status == "void"
        with signing(plant):
            assert plant.wait_for(execution).status == "succeeded"
