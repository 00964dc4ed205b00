"""What can happen in a drawn history: the engine's duties, people's acts and the world's, each by the system's own verbs.

An act takes a number: it chooses among what there is to act on, and says where a worker dies or is held up. A refusal is an
answer; any other exception is a finding. A worker that is held up lets the next acts happen in between, as other processes would
do them, and then goes on without knowing.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from approvals import operations as approvals
from approvals.models import ApprovalPolicy, ApprovalRequest, Bypass, Stop, StopScope
from approvals.operations import claims, questions, stops
from approvals.operations.stops import Target
from audit.actors import Actor, agent
from audit.canonical import digest
from audit.definitions import activate, draft, retire
from audit.refusals import Refusal
from budgets.models import Budget
from budgets.reserving import anything_is_budgeted
from orchestrator.engine import handback
from orchestrator.engine.claims import Claim, claim_due
from orchestrator.engine.sweep import sweep
from orchestrator.gate import limits
from orchestrator.gate.answer import answer_instead
from orchestrator.gate.edit import edit
from orchestrator.gate.propose import propose
from orchestrator.gate.redeem import Ticket, redeem
from orchestrator.gate.report import report
from orchestrator.gate.undo import undo
from orchestrator.gate.withdraw import withdraw
from orchestrator.models import Action, Agent, DeadLetter, Execution, Limit, OutcomeVerdict
from orchestrator.models.verdict import CODES
from orchestrator.operations import bulk_letters, dead_letters, executions, patches, unknown_outcomes
from orchestrator.operations.by_hand import hand_in
from orchestrator.operations.registry import import_agents, import_tools
from orchestrator.operations.undo_plan import plan_of
from orchestrator.operations.unknown_outcomes import Said
from orchestrator.releases.undoing import undo_execution
from tests import signing
from tests import worlds as make
from tests.engine.driving import DUE, _run
from tests.faults import active
from tests.histories import books
from tests.histories.money import MONEY, Money

# Name -> how often, relative to the others.
ACTS = {
    "work": 16, "sweep": 6, "timers": 5, "lapse": 5, "claim": 4, "go_on": 4, "shut_down": 1,
    "provider": 12, "blind": 3, "record": 4,
    "approve": 12, "reject": 4, "edit": 6, "ask": 4, "reply": 4, "answer": 4, "hand_in": 5, "say": 8, "cannot_tell": 2,
    "cancel": 3, "redrive": 6, "discard": 2, "patch": 6, "bulk_redrive": 3, "bulk_discard": 2,
    "stop": 5, "lift": 5, "undo": 6, "undo_one": 4, "start": 3,
    "approvals_lapse": 4, "requests_lapse": 3, "looks_due": 4, "silence": 3, "deadline": 2,
    "another_tool": 2, "another_release": 2, "policy": 4, "no_policy": 2, "budget": 5, "room": 3, "limit": 4, "no_limit": 3,
    "bypass": 4, "bypasses_end": 2, "strict": 4, "no_agent": 1, "claim_it": 2, "age": 3,
    "propose": 5, "redeem": 5, "report": 5, "withdraw": 2, "undo_foreign": 3,
    **MONEY,
}  # fmt: skip
DEEDS = ("drop", "vanish", "down", "fault", "refuse", "empty", "drop", "down", "ok")
FOREIGN = ("sign_a", "send_b", "send_c", "back_a")
ODDS_OF_TROUBLE = 25  # numbers below go through undisturbed


class Died(BaseException):
    """A worker's process is gone at this place: nothing after it happens."""


class Site(Money):
    """One world while a history is played in it."""

    def __init__(self, world: make.World, provider: books.Books, publish: Callable[..., None]) -> None:
        self.world, self.provider, self.publish = world, provider, publish
        self.started: list[Execution] = []
        self.claims: list[Claim] = []
        self.tickets: list[Ticket] = []
        self.told: list[str] = []
        self.version = 1
        # What is still to happen: whoever is held up lets some of it happen.
        self.acts: Iterator[tuple[str, int]] = iter(())
        self._held_up: int | None = None
        self.calm = False

    # --- playing ---

    def do(self, name: str, number: int) -> bool:
        """Whether there was anything to do it to; a refusal is an answer."""
        try:
            done = getattr(self, f"_{name}")(number)
        except Refusal as refusal:
            self.told.append(f"{name} {number}: {type(refusal).__name__} {refusal}"[:200])
            return False
        self.told.append(f"{name} {number}: {done}")
        return bool(done)

    @contextmanager
    def _trouble(self, number: int) -> Iterator[None]:
        """Dies, or is held up, at one of the places it passes outside of transactions."""
        if number < ODDS_OF_TROUBLE or self._held_up is not None or self.calm:
            yield
            return
        left, dies = (number - ODDS_OF_TROUBLE) // 2, number % 2
        mine = threading.current_thread()

        def passing(point: str) -> None:
            if threading.current_thread() is not mine or self._held_up is None or connection.in_atomic_block:
                return
            self._held_up -= 1
            if self._held_up != -1:
                return
            self.told.append(f"  {'dies' if dies else 'is held up'} at {point}")
            if dies:
                raise Died
            for name, other in [act for _, act in zip(range(1 + number % 3), self.acts, strict=False)]:
                self.do(name, other)
            self.told.append(f"  goes on from {point}")

        self._held_up = left
        active.install(passing)
        try:
            yield
        except Died:
            pass
        finally:
            active.uninstall()
            self._held_up = None

    # --- workers and the sweep ---

    def _work(self, number: int) -> bool:
        with self._trouble(number):
            claims = claim_due(limit=1, worker="one")
            if claims:
                make.run(claims[0].fence)
            return bool(claims)
        return True

    def _claim(self, number: int) -> bool:
        """Into a queue in which it may lie for long."""
        found = claim_due(limit=1 + number % 2, worker="slow")
        self.claims += found
        return bool(found)

    def _go_on(self, number: int) -> bool:
        if not self.claims:
            return False
        with self._trouble(number):
            make.run(self.claims.pop(number % len(self.claims)).fence)
        return True

    def _shut_down(self, number: int) -> bool:
        handback.hand_back("slow")
        return True

    def _sweep(self, number: int) -> bool:
        with self._trouble(number):
            return bool(sweep())
        return True

    def _timers(self, number: int) -> bool:
        woken = _run(DUE) + _run("UPDATE orchestrator_step SET due_at = clock_timestamp() WHERE status = 'throttled'")
        _run("UPDATE orchestrator_breaker SET until = clock_timestamp() WHERE until IS NOT NULL")
        _run("UPDATE orchestrator_breaker SET next_at = clock_timestamp()")
        return bool(sweep() or woken)

    def _lapse(self, number: int) -> bool:
        """Every lease is over; the workers need not be dead."""
        return bool(_run(active.PAST_EVERY_LEASE) and sweep())

    # --- the world outside ---

    def _provider(self, number: int) -> bool:
        self.provider.plan(DEEDS[number % len(DEEDS)])
        return True

    def _blind(self, number: int) -> bool:
        self.provider.sights.append(("away", "unknown")[number % 2])
        return True

    def _record(self, number: int) -> bool:
        self.provider.record = {"revision": number % 3}
        return True

    # --- reviewers ---

    def _people(self, number: int) -> Actor:
        return (self.world.grace, self.world.linus, self.world.olga)[number % 3]

    def _asked(self, number: int, status: str = "pending", **more: Any) -> ApprovalRequest | None:
        return _one(ApprovalRequest.objects.filter(status=status, **more).order_by("pk"), number)

    def _approve(self, number: int) -> bool:
        request = self._asked(number // 3)
        if request is None:
            return False
        by = self._people(number)
        approvals.approve(request_id=request.pk, by=by, voice=signing.voice(request, by=by))
        return True

    def _reject(self, number: int) -> bool:
        request = self._asked(number // 3)
        if request is None:
            return False
        by = self._people(number)
        approvals.reject(request_id=request.pk, by=by, voice=signing.voice(request, "missing_evidence", by=by))
        return True

    def _edit(self, number: int) -> bool:
        request = self._asked(number // 3)
        action = request and Action.objects.filter(pk=request.subject_id).first()
        if request is None or action is None:
            return False
        ref = books.meaning_of(json.loads(action.arguments)["ref"])
        edit(request_id=request.pk, by=self._people(number), digest=request.digest, revision=request.revision,
             arguments={"ref": f"{ref}!e{number % 4}"})  # fmt: skip
        return True

    def _ask(self, number: int) -> bool:
        request = self._asked(number // 3)
        if request is None:
            return False
        questions.send_back(request_id=request.pk, by=self._people(number), digest=request.digest,
                            revision=request.revision, question="Which month?")  # fmt: skip
        return True

    def _reply(self, number: int) -> bool:
        request = self._asked(number, "sent_back")
        if request is None:
            return False
        questions.reply(request_id=request.pk, by=self.world.ada, text="October.")
        return True

    def _answer(self, number: int) -> bool:
        request = self._asked(number // 3)
        if request is None:
            return False
        by = self._people(number)
        answer_instead(request_id=request.pk, by=by, voice=signing.voice(request, by=by), result={"ref": "by hand"})
        return True

    def _hand_in(self, number: int) -> bool:
        request = next(
            (one for one in ApprovalRequest.objects.filter(status="pending").order_by("pk") if one.is_by_hand), None
        )
        if request is None:
            return False
        by = self._people(number)
        hand_in(
            request_id=request.pk, by=by, voice=signing.voice(request, by=by), result={"ref": "by hand", "sent": []}
        )
        return True

    # --- operators ---

    def _say(self, number: int) -> bool:
        """The truth, as it stands in the other side's books."""
        action = _one(Action.objects.unknown().order_by("pk"), number)
        if action is None:
            return False
        ref = json.loads(action.arguments)["ref"]
        happened = self.provider.has(action.idempotency_key, f"-{ref}" if action.tool == "take_back" else ref)
        verdict = OutcomeVerdict.HAPPENED if happened else OutcomeVerdict.DID_NOT
        result = {"ref": ref} if happened else None
        said = Said(verdict=verdict, code=min(CODES[verdict]), note="looked it up", result=result)
        unknown_outcomes.answer(action_id=action.pk, said=said, by=self.operators[number % 2])
        return True

    def _cannot_tell(self, number: int) -> bool:
        action = _one(Action.objects.unknown().order_by("pk"), number)
        if action is None:
            return False
        said = Said(verdict=OutcomeVerdict.CANNOT_TELL, code="no_access", note="no access")
        unknown_outcomes.answer(action_id=action.pk, said=said, by=self.operators[number % 2])
        return True

    @property
    def operators(self) -> tuple[Actor, Actor]:
        return self.world.ada, self.world.olga

    def _start(self, number: int) -> bool:
        input = {"flag": number % 2 == 0}
        self.started.append(executions.start(workflow="drawn", input=input, unit=self.world.unit.name, by=self.world.ada,
                                             envelope=dict(self.envelope)))  # fmt: skip
        return True

    envelope: tuple[tuple[str, int], ...] = ()

    def _cancel(self, number: int) -> bool:
        run = _one(Execution.objects.live().order_by("pk"), number)
        if run is None:
            return False
        executions.cancel(execution_id=run.pk, by=self.world.ada, why="no longer wanted")
        return True

    def _letter(self, number: int) -> DeadLetter | None:
        return _one(DeadLetter.objects.open().order_by("pk"), number)

    def _redrive(self, number: int) -> bool:
        letter = self._letter(number)
        if letter is None:
            return False
        dead_letters.requeue(letter_id=letter.pk, by=self.world.ada)
        return True

    def _discard(self, number: int) -> bool:
        letter = self._letter(number)
        if letter is None:
            return False
        dead_letters.discard(letter_id=letter.pk, by=self.world.ada, code="other", note="nobody needs it")
        return True

    def _patch(self, number: int) -> bool:
        letter = self._letter(number)
        if letter is None:
            return False
        before = patches.current_input(letter.step)
        after = json.loads(json.dumps(before).replace('!p"', '"'))
        if "ref" in after:
            after["ref"] = f"{books.meaning_of(after['ref'])}!p{number % 3}"
        else:
            after["then"] = ("", "looks", "says_no")[number % 3]
        patches.patch(
            letter_id=letter.pk, by=self.world.ada, before_digest=digest(before), after=after, why="it was wrong"
        )
        return True

    def _bulk(self, act: str, number: int) -> bool:
        letter = self._letter(number)
        if letter is None or letter.group_id is None:
            return False
        operation = bulk_letters.preview(act=act, group_id=letter.group_id, by=self.world.ada)
        if not operation.size:
            return False
        terms = bulk_letters.Terms(reason_code="other" if act == "discard" else "", note="all of them")
        bulk_letters.confirm(operation_id=operation.pk, by=self.world.ada, terms=terms)
        return True

    def _bulk_redrive(self, number: int) -> bool:
        return self._bulk("redrive", number)

    def _bulk_discard(self, number: int) -> bool:
        return self._bulk("discard", number)

    def _stop(self, number: int) -> bool:
        tools = ("send_a", "take_back", "sign_a", "send_c", "fetch")
        scope = ({"scope": StopScope.UNIT}, {"scope": StopScope.AGENT, "agent": "clerk"},
                 {"scope": StopScope.TOOL, "tool": tools[number % 5]})[number % 3]  # fmt: skip
        target = Target(unit_id=self.world.unit.pk, **scope)
        stops.engage(target=target, by=self.world.ada, reason="the books do not agree")
        return True

    def _lift(self, number: int) -> bool:
        stop = _one(Stop.objects.engaged().order_by("pk"), number)
        if stop is None:
            return False
        stops.lift(stop_id=stop.pk, by=self.world.ada, why="the books agree again")
        return True

    def _undo(self, number: int) -> bool:
        run = _one(
            Execution.objects.filter(status__in=["succeeded", "failed", "cancelled", "timed_out"]).order_by("pk"),
            number,
        )
        if run is None:
            return False
        undo_execution(execution_id=run.pk, by=self.world.ada, why="posted to the wrong month")
        return True

    def _undo_one(self, number: int) -> bool:
        run = _one(Execution.objects.filter(status__in=["succeeded", "failed", "cancelled"]).order_by("pk"), number)
        effects = plan_of(run).possible if run else []
        if run is None or not effects:
            return False
        only = [effects[number % len(effects)].action.pk]
        undo_execution(execution_id=run.pk, by=self.world.ada, why="posted to the wrong month", only=only)
        return True

    # --- time ---

    def _approvals_lapse(self, number: int) -> bool:
        return bool(
            _run("UPDATE approvals_approvalrequest SET use_by = clock_timestamp() - interval '1 second' "
                 "WHERE use_by IS NOT NULL AND frozen_at IS NULL")
        )  # fmt: skip

    def _requests_lapse(self, number: int) -> bool:
        return bool(
            _run("UPDATE approvals_approvalrequest SET decide_by = clock_timestamp() - interval '1 second' "
                 "WHERE status IN ('pending', 'sent_back') AND frozen_at IS NULL")
        )  # fmt: skip

    def _looks_due(self, number: int) -> bool:
        due = "UPDATE orchestrator_action SET next_look_at = clock_timestamp() WHERE next_look_at IS NOT NULL"
        return bool(_run(due) and sweep())

    def _silence(self, number: int) -> bool:
        """Nobody has reported for over an hour."""
        hour = "- interval '61 minutes'"
        _run(f"UPDATE orchestrator_attempt SET finished_at = finished_at {hour} WHERE finished_at IS NOT NULL")
        return bool(_run(f"UPDATE orchestrator_action SET redeemed_at = redeemed_at {hour} WHERE status = 'redeemed'"))

    def _deadline(self, number: int) -> bool:
        return bool(
            _run("UPDATE orchestrator_execution SET deadline_at = clock_timestamp() WHERE deadline_at IS NOT NULL")
        )

    # --- administrators ---

    def _another_tool(self, number: int) -> bool:
        self.version += 1
        one = books.TOOLS[number % len(books.TOOLS)]
        import_tools([{**one, "version": str(self.version)}], by=make.SETUP, file="tools")
        return True

    def _another_release(self, number: int) -> bool:
        self.publish(version=f"1.0.{number}")
        return True

    def _policy(self, number: int) -> bool:
        tool = ("send_a", "sign_a", "take_back", "send_c", "*")[number % 5]
        version = ApprovalPolicy.objects.filter(name=f"p{number % 5}").count() + 1
        row = ApprovalPolicy(
            name=f"p{number % 5}",
            version=version,
            tool=tool,
            required=(1, 2, 1)[number % 3],
            reason="since now",
            condition=("true", "args.ref != ''", "args.absent > 1")[number % 3],
        )
        _in_force(row)
        return True

    def _no_policy(self, number: int) -> bool:
        return _retired(ApprovalPolicy, number)

    def _budget(self, number: int) -> bool:
        measure = ({"measure": "runs", "limit": 1 + number % 3},
                   {"measure": "money", "currency": "EUR", "limit": "0.4", "assumed": "0.1"},
                   {"measure": "runs", "limit": "0.5"})[number % 3]  # fmt: skip
        name = f"b{number % 3}"
        version = Budget.objects.filter(name=name).count() + 1
        _in_force(Budget(name=name, version=version, unit_id=self.world.unit.pk, window="always", **measure))
        anything_is_budgeted.again()
        return True

    def _room(self, number: int) -> bool:
        """The limit rises far above all there is."""
        last = _one(Budget.objects.filter(status="active", limit__lt=1000).order_by("pk"), number)
        if last is None:
            return False
        fields = {name: getattr(last, name) for name in ("name", "measure", "currency", "assumed", "unit_id", "window")}
        _in_force(Budget(version=last.version + 1, limit=1000, **fields))
        return True

    def _limit(self, number: int) -> bool:
        what = ({"breaks_after": 1}, {"at_once": 1}, {"per_minute": 1})[number % 3]
        version = Limit.objects.filter(name="l").count() + 1
        _in_force(Limit(name="l", version=version, tool=("send_a", "")[number % 2], **what))
        limits.anything_is_limited.again()
        return True

    def _no_limit(self, number: int) -> bool:
        return _retired(Limit, number)

    def _bypass(self, number: int) -> bool:
        """A tool asks for fewer people than its tier says, for an hour: also what waits already."""
        tool = ("sign_a", "dual_b", "sign_c", "unsafe")[number % 4]
        tier = ("informational", "customer_facing")[number % 2]
        name = f"y{Bypass.objects.count()}"
        _in_force(
            Bypass(name=name, tool=tool, unit_id=self.world.unit.pk, tier=tier, reason="the line to the bank is down")
        )
        return True

    def _bypasses_end(self, number: int) -> bool:
        ended = _run(
            "UPDATE approvals_bypass SET activated_at = activated_at - interval '5 hours' WHERE status = 'active'"
        )
        return bool(ended and sweep())

    def _strict(self, number: int) -> bool:
        """A policy that denies, waits for good, is looked at again, or gives its signatures little time."""
        what = ({"verdict": "deny"}, {"on_timeout": "hold", "decide_within_seconds": 1}, {"second_look_percent": 100},
                {"use_within_seconds": 1}, {"checks": ["Is it right?"], "step_up": "always"})[number % 5]  # fmt: skip
        name = f"q{number % 5}"
        version = ApprovalPolicy.objects.filter(name=name).count() + 1
        tool = ("send_a", "sign_a", "*", "take_back")[number % 4]
        _in_force(
            ApprovalPolicy(name=name, version=version, tool=tool, required=number % 3, reason="since now", **what)
        )
        return True

    def _no_agent(self, number: int) -> bool:
        """It is retired, and comes back as it was."""
        row = Agent.objects.filter(name="clerk", status="active").first()
        if row is not None:
            retire(row, by=make.SETUP)
            return True
        import_agents([books.AGENTS[0]], by=make.SETUP, file="agents")
        return True

    def _claim_it(self, number: int) -> bool:
        request = self._asked(number // 3)
        if request is None:
            return False
        claims.claim(request_id=request.pk, by=self._people(number))
        return True

    def _age(self, number: int) -> bool:
        """Half of everybody's time to decide is over: reminders and levels are due."""
        older = ("UPDATE approvals_approvalrequest SET created_at = created_at - interval '12 hours', "
                 "decide_by = decide_by - interval '12 hours', next_notice_at = next_notice_at - interval '12 hours' "
                 "WHERE status IN ('pending', 'sent_back') AND frozen_at IS NULL")  # fmt: skip
        return bool(_run(older) and sweep())

    # --- a foreign agent ---

    @property
    def _clerk(self) -> Actor:
        return agent(
            "clerk", unit_ids=frozenset({self.world.unit.pk}), scopes=frozenset({"propose", "redeem", "report"})
        )

    def _propose(self, number: int) -> bool:
        tool = FOREIGN[number % 4]
        kind = tool[-1].upper()
        last = Execution.objects.order_by("-pk").first()
        propose(
            tool=tool,
            arguments={"ref": f"{kind}-{tool}-{number % 2}"},
            agent="clerk",
            unit_id=self.world.unit.pk,
            by=self._clerk,
            idempotency_hint=f"h{number % 2}",
            execution_id=last.pk if last and number % 3 == 0 else None,
        )
        return True

    def _foreign(self, *statuses: str) -> Any:
        return Action.objects.filter(step_id=None, status__in=statuses).order_by("pk")

    def _redeem(self, number: int) -> bool:
        """Carried out at once by the agent itself; whether it tells is another matter."""
        action = _one(self._foreign("granted"), number)
        if action is None:
            return False
        ticket = redeem(action_id=action.pk, by=self._clerk)
        self.tickets.append(ticket)
        if number % 4:
            ref = ticket.arguments["ref"]
            ref = f"-{ref}" if action.tool == "take_back" else ref
            self.provider.take(ticket.idempotency_key, {"ref": ref})
        return True

    def _report(self, number: int) -> bool:
        if not self.tickets:
            return False
        ticket = self.tickets[number % len(self.tickets)]
        ref = ticket.arguments["ref"]
        happened = self.provider.has(ticket.idempotency_key, f"-{ref}" if ticket.action.tool == "take_back" else ref)
        unsure = number % 5 == 0
        outcome: Any = "unknown" if unsure else "success" if happened else "system_error"
        report(action_id=ticket.action.pk, fence=ticket.fence, outcome=outcome, by=self._clerk,
               result={"ref": ticket.arguments["ref"]} if outcome == "success" else None)  # fmt: skip
        return True

    def _withdraw(self, number: int) -> bool:
        action = _one(self._foreign("held", "sent_back", "granted"), number)
        if action is None:
            return False
        withdraw(action_id=action.pk, by=self._clerk, why="not needed")
        return True

    def _undo_foreign(self, number: int) -> bool:
        action = _one(self._foreign("succeeded"), number)
        if action is None:
            return False
        undo(action_id=action.pk, by=self._clerk, why="not needed")
        return True


def _one(rows: Any, number: int) -> Any:
    found = list(rows)
    return found[number % len(found)] if found else None


def _in_force(row: Any) -> None:
    draft(row, by=make.SETUP)
    activate(row, by=make.SETUP)


def _retired(model: Any, number: int) -> bool:
    row = _one(model.objects.filter(status="active").order_by("pk"), number)
    if row is None:
        return False
    retire(row, by=make.SETUP)
    limits.anything_is_limited.again()
    return True
