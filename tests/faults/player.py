"""Plays a scenario in one process, duty by duty, until nothing moves any more. Begun again after a death, it goes on."""

import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.conf import settings
from django.db import Error, connection
from django.test import Client

from approvals import operations as approvals
from approvals.models import ApprovalRequest, Stop, StopScope
from approvals.notifying.deliver import one_round
from approvals.operations import Voice, stops
from approvals.operations.stops import Target
from audit.actors import Actor
from audit.refusals import Refusal
from orchestrator.engine import handback
from orchestrator.engine.broker import StepBroker
from orchestrator.engine.claims import claim_due
from orchestrator.engine.runners import workshop
from orchestrator.engine.runners.pool import RunnerPool
from orchestrator.engine.segment import begin_all
from orchestrator.engine.sweep import sweep
from orchestrator.engine.together import close_line
from orchestrator.engine.workers import crew as crews
from orchestrator.gate.doubt import LOOKS
from orchestrator.gate.edit import edit
from orchestrator.models import Action, Execution, OutcomeVerdict, Step
from orchestrator.models.verdict import CODES
from orchestrator.operations import unknown_outcomes
from orchestrator.operations.unknown_outcomes import Said
from orchestrator.tasks import run_attempts
from tests import worlds as make
from tests.engine.driving import DUE, LOOK
from tests.faults.scenarios import Scenario
from tests.signing import voice

MOST_ROUNDS = 60
# Whether a request's next step of escalation is due is looked at now, not when its time has come.
LOOK_AGAIN = "UPDATE approvals_approvalrequest SET next_notice_at = clock_timestamp() WHERE status = 'pending'"
# So is whatever is to be looked up once more.
PLANNED_LOOKS = f"""{LOOK} AND looks BETWEEN 1 AND {LOOKS - 1}
AND step_id IN (SELECT id FROM orchestrator_step WHERE status = 'unknown_outcome')"""
# A client that gets no answer asks again; this often while the system is broken, then it leaves it for later.
ASKS = 3
# Whose duty it is, where the whole site is at work; what is not named comes in as a web request.
PROCESS = {"_work": "worker", "_crew": "worker", "_heal": "sweeper", "_hand_back": "supervisor", "_notify": "notifier"}


@dataclass
class Trial:
    """One play of a scenario. `answers` is the client's own list: what it was told, by idempotency key."""

    scenario: Scenario
    number: str
    world: make.World
    token: str
    ledger: str
    answers: dict[str, str] = field(default_factory=dict)
    # What people say they read when they signed, and what workers were told of their results.
    signs: set[str] = field(default_factory=set)
    began: set[str] = field(default_factory=set)
    settled: set[str] = field(default_factory=set)

    @property
    def refs(self) -> list[str]:
        """The business keys of its executions."""
        return [f"{self.scenario.kind}-{self.number}-{n}" for n in range(self.scenario.executions)]

    def effect_of(self, ref: str) -> str:
        """What the other side is told in the end."""
        return f"{ref}-edited" if self.scenario.edited else ref


class Player:
    """The duties of a whole site, in one thread. `tell` writes down what the client was told, at once."""

    def __init__(self, trial: Trial, tell: Callable[[str], None]) -> None:
        self.trial, self._tell = trial, tell
        self._client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {trial.token}"})

    def play(self) -> None:
        """All of it, until it rests."""
        workshop._pool[:] = [RunnerPool(spares=0)]
        settings.LEASE_SECONDS = self.trial.scenario.lease_seconds
        self._survive(self._commands)
        for duty in self.trial.scenario.then:
            self._survive(getattr(self, f"_{duty}"))
        for _ in range(MOST_ROUNDS):
            if not sum(
                self._survive(duty) for duty in (self._work, self._notify, self._heal, self._people, self._commands)
            ):
                return
        raise AssertionError("it never comes to rest")

    def _survive(self, duty: Callable[[], int]) -> int:
        """As the site's loops do: a database that is away is asked again later."""
        self._tell(f"duty {PROCESS.get(duty.__name__, 'web request')}")
        try:
            return int(duty() or 0)
        except (Error, psycopg.Error):
            connection.close()
            time.sleep(0.1)
            return 1

    # --- the API client ---

    def _commands(self) -> int:
        return self._gate_a_call() if self.trial.scenario.foreign else self._start_all()

    def _start_all(self) -> int:
        news = 0
        for ref in self.trial.refs:
            body = {"workflow": self.trial.scenario.name, "unit": "finance", "input": {"ref": ref}, "business_key": ref}
            news += self._command("executions/", body, f"start-{ref}")[1]
        return news

    def _command(self, path: str, body: dict[str, Any], key: str) -> tuple[dict[str, Any], int]:
        """Asked under a key until it is answered. The answer, and 1 when it is news."""
        if key in self.trial.answers:
            return json.loads(self.trial.answers[key]), 0
        for _ in range(ASKS):
            answer = self._client.post(
                f"/api/v1/{path}", json.dumps(body), "application/json", headers={"Idempotency-Key": key}
            )
            if answer.status_code < 300:
                text = answer.content.decode()
                self._tell(f"told {key} {text}")
                self.trial.answers[key] = text
                return json.loads(text), 1
            if answer.status_code < 500:
                return {}, 0
            connection.close()
        return {}, 0

    def _gate_a_call(self) -> int:
        """A foreign agent: propose, redeem, call the tool itself under the key it was given, report."""
        ref = self.trial.refs[0]
        action, news = self._command("actions/", {"tool": "unsafe", "arguments": {"ref": ref}}, f"propose-{ref}")
        if not action:
            return 0
        path = f"actions/{action['id']}"
        ticket, redeemed = self._command(f"{path}/redemptions/", {}, f"redeem-{ref}")
        if not ticket:
            return news
        self._send(ticket["arguments"]["ref"], ticket["idempotency_key"])
        done = {"fence": ticket["fence"], "outcome": "success", "result": {"ref": ref}}
        return news + redeemed + self._command(f"{path}/outcomes/", done, f"report-{ref}")[1]

    def _send(self, ref: str, key: str) -> None:
        line = http.client.HTTPConnection(self.trial.ledger.removeprefix("http://"), timeout=10)
        line.request("POST", "/effects", json.dumps({"ref": ref}), {"Idempotency-Key": key})
        line.getresponse().read()
        line.close()

    # --- workers and the sweep ---

    def _work(self) -> int:
        return make.work()

    def _heal(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute(DUE)
            timers = cursor.rowcount
            cursor.execute(PLANNED_LOOKS)
            cursor.execute(LOOK_AGAIN)
        return timers + sweep()

    def _hand_back(self) -> int:
        """A worker took all there is, began one, and died: its supervisor gives back what it held."""
        fences = [claim.fence for claim in claim_due(limit=10, worker="dead")]
        begin_all(fences[:1])
        handback.hand_back("dead")
        return len(fences)

    def _crew(self) -> int:
        """As django-q2 does it: the broker claims, a worker process puts the claims into its hands."""
        broker = StepBroker(list_key="test")
        settings.WORKERS = 1
        for _, package in broker.dequeue():
            run_attempts(*_unpacked(package)["args"])
        for crew in crews._crew:
            crew.close()
        crews._crew.clear()
        close_line()
        return 1

    # --- people ---

    def _people(self) -> int:
        """Two sign what waits; one of the unit says what happened where nobody can look it up."""
        asked = ApprovalRequest.objects.filter(status="pending")
        return sum(self._sign(request) for request in asked) + sum(self._say(action) for action in _unknown())

    def _sign(self, request: ApprovalRequest) -> int:
        read = [(signer, voice(request)) for signer in (self.trial.world.grace, self.trial.world.linus)]
        edited = self.trial.scenario.edited and request.revision == 1 and self._edit(request)
        return edited + sum(self._approve(request, *one) for one in read[: request.required])

    def _approve(self, request: ApprovalRequest, by: Actor, said: Voice) -> int:
        """A person signs what they have read, and keeps a note of it."""
        self._tell(f"signs {said.digest}")
        try:
            approvals.approve(request_id=request.pk, by=by, voice=said)
        except Refusal:
            return 0
        return 1

    def _edit(self, request: ApprovalRequest) -> int:
        action = Action.objects.get(pk=request.subject_id)
        ref = self.trial.effect_of(json.loads(action.arguments)["ref"])
        try:
            edit(request_id=request.pk, by=self.trial.world.linus, digest=request.digest, revision=request.revision,
                 arguments={"ref": ref})  # fmt: skip
        except Refusal:
            return 0
        return 1

    def _say(self, action: Action) -> int:
        """A person looks into the other side's books."""
        ref = json.loads(action.arguments)["ref"]
        happened = bool(books(self.trial.ledger, ref)["effects"])
        verdict = OutcomeVerdict.HAPPENED if happened else OutcomeVerdict.DID_NOT
        code, result = min(CODES[verdict]), {"ref": ref} if happened else None
        said = Said(verdict=verdict, code=code, note="looked it up", result=result)
        try:
            unknown_outcomes.answer(action_id=action.pk, said=said, by=self.trial.world.ada)
        except Refusal:
            return 0
        return 1

    def _cancel(self) -> int:
        make.work()
        for ref in self.trial.refs:
            execution = Execution.objects.filter(business_key=ref).first()
            if execution is not None:
                self._command(
                    f"executions/{execution.pk}/cancellations/", {"reason": "no longer wanted"}, f"cancel-{ref}"
                )
        return 0

    def _stop(self) -> int:
        target = Target(scope=StopScope.UNIT, unit_id=self.trial.world.unit.pk)
        stops.engage(target=target, by=self.trial.world.ada, reason="the books do not agree")
        return 1

    def _lift(self) -> int:
        for stop in Stop.objects.engaged():
            stops.lift(stop_id=stop.pk, by=self.trial.world.ada, why="the books agree again")
        return 1

    def _notify(self) -> int:
        return one_round()


def _unknown() -> list[Action]:
    """What nobody can look up, once its step waits for a person."""
    parked = Step.objects.filter(status="unknown_outcome").values("pk")
    return list(Action.objects.filter(status="unknown", step_id__in=parked))


def _unpacked(package: str) -> dict[str, Any]:
    from django_q.signing import SignedPackage

    return SignedPackage.loads(package)  # type: ignore[no-any-return]


def books(ledger: str, ref: str) -> dict[str, list[str]]:
    """What the other side says about one reference: the keys of its sends and of its effects."""
    return ask(ledger, f"/books?ref={ref}")


def ask(ledger: str, path: str, body: object = None) -> Any:
    line = http.client.HTTPConnection(ledger.removeprefix("http://"), timeout=10)
    line.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body))
    answer = json.loads(line.getresponse().read())
    line.close()
    return answer
