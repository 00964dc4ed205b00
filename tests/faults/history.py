"""The judge: reads what clients were told, what the system outside has in its books, and what the database holds.

Each check has the number of its promise. The trigger of the test database (tests/trail.py) is the witness of every status
change; nothing the control plane says about itself is believed without it.
"""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q, Sum

from approvals.models import ApprovalRequest, Decision, Notice
from approvals.models.notice import Delivery
from audit.ids import new_id
from audit.models import AuditEvent, AuditStream
from audit.verify import first_break
from budgets.models import BudgetWindow, LedgerEntry, Reservation
from orchestrator.models import Action, Attempt, Execution, Step
from orchestrator.statuses import ACTION, ATTEMPT, DEAD_LETTER, EXECUTION, STEP
from tests import trail
from tests.faults.player import Trial, ask, books
from tests.faults.scenarios import MOST_ATTEMPTS

LIFECYCLES = {"execution": EXECUTION, "step": STEP, "attempt": ATTEMPT, "action": ACTION, "dead_letter": DEAD_LETTER}
_since: list[UUID] = []


def begin() -> None:
    """A new list for a new trial."""
    trail.forget()
    _since[:] = [new_id()]
    Delivery.objects.all().delete()
    Notice.objects.all().delete()


def judge(trial: Trial) -> list[str]:
    """Everything that should not be so, in words. Empty: all promises were kept."""
    rows = list(Execution.objects.filter(business_key__in=trial.refs))
    return [
        problem
        for check in (
            _nothing_lost,
            _all_ended,
            _one_effect,
            _lifecycles,
            _attempts,
            _signatures,
            _trail,
            _told,
            _costs,
            _reservations,
        )
        for problem in check(trial, rows)
    ]


def _nothing_lost(trial: Trial, rows: list[Execution]) -> Iterator[str]:
    """I2 and I8: every acknowledged command is there, once."""
    known = {str(row.pk) for row in rows} | {
        str(pk) for pk in Action.objects.values_list("pk", flat=True).filter(execution_id=None)
    }
    for key, text in trial.answers.items():
        if key.startswith(("start", "propose")) and json.loads(text)["id"] not in known:
            yield f"I2: {key} was acknowledged and is gone"
    doubled = [key for key, number in Counter(row.business_key for row in rows).items() if number > 1]
    if doubled:
        yield f"I8: started more than once under one key: {doubled}"
    if not trial.scenario.foreign and len(rows) != len(trial.refs):
        yield f"I2: {len(trial.refs) - len(rows)} executions were never started, though the client asked again"


def _all_ended(trial: Trial, rows: list[Execution]) -> Iterator[str]:
    """I2 and I6: with the faults gone everything comes to its end. Nothing is left in anybody's hands."""
    for row in rows:
        if row.status not in trial.scenario.ends:
            steps = list(row.steps.values_list("key", "status", "why"))
            yield f"I6: an execution rests as {row.status}: {steps}"
    if Attempt.objects.filter(status="running", execution_id__in=[row.pk for row in rows]).exists():
        yield "I6: an attempt is still running"
    if trial.scenario.foreign and f"report-{trial.refs[0]}" not in trial.answers:
        yield "I6: the foreign call was never reported"


def _one_effect(trial: Trial, rows: list[Execution]) -> Iterator[str]:
    """I1: at most one effect for a key in the books outside; what is called succeeded is there; class C is sent once."""
    for ref in trial.refs:
        outside, before = books(trial.ledger, trial.effect_of(ref)), books(trial.ledger, ref)
        mine = [action for action in _actions(trial, ref) if action.effect != "read"]
        if trial.scenario.edited and before["effects"]:
            yield f"I9: {ref} took effect as it was before it was edited"
        worst = max(Counter(outside["effects"]).values(), default=0)
        if worst > 1:
            yield f"I1: {ref} took effect {worst} times under one key"
        live = sum(action.status == "succeeded" for action in mine)
        if len(outside["effects"]) != live:
            yield f"I1: {len(outside['effects'])} effects of {ref} outside, {live} succeeded actions here"
        ended = [row.status for row in rows if row.business_key == ref]
        if (ended == ["succeeded"] or trial.scenario.foreign) and live != trial.scenario.sends:
            yield f"I1: {ref} succeeded with {live} effects instead of {trial.scenario.sends}"
        if trial.scenario.kind == "C" and len(outside["sends"]) > 1 + _said_it_did_not(mine):
            yield f"I1: class C was sent {len(outside['sends'])} times"


def _said_it_did_not(actions: list[Action]) -> int:
    """How often a person allowed another send."""
    said = AuditEvent.objects.filter(event="action.answered_by_person", object_id__in=[action.pk for action in actions])
    return sum('"did_not"' in event.data for event in said)


def _lifecycles(trial: Trial, rows: list[Execution]) -> Iterator[str]:
    """I4: what the witness saw are edges of the table; a final status has no way out."""
    for noun, before, after in _ask("SELECT DISTINCT noun, before, after FROM test_witness WHERE before <> ''"):
        lifecycle = LIFECYCLES.get(noun)
        if lifecycle is not None and after not in lifecycle.edges.get(before, ()):
            yield f"I4: {noun} went from {before} to {after}"
    ended = "SELECT id FROM test_witness WHERE noun = 'approval_request' AND after = ANY (%s) GROUP BY id HAVING count(*) > 1"
    if _ask(ended, [["approved", "rejected", "expired", "withdrawn", "answered"]]):
        yield "I11: an approval request has two outcomes"


def _attempts(trial: Trial, rows: list[Execution]) -> Iterator[str]:
    """I3: a success belongs to the attempt that held the step, and who was told that its result stands was told the truth."""
    mine = Attempt.objects.filter(execution_id__in=[row.pk for row in rows])
    ended = {str(pk) for pk in mine.filter(status="succeeded").values_list("pk", flat=True)}
    if trial.settled - ended:
        yield f"I3: {len(trial.settled - ended)} workers were told that their result stands, and it does not"
    for step in Step.objects.filter(execution__in=rows):
        attempts = list(mine.filter(step=step))
        won = [attempt.pk for attempt in attempts if attempt.status == "succeeded"]
        if len(won) > 1 or (won and won[0] != step.attempt_id):
            yield f"I3: step {step.key} was settled by {len(won)} attempts, its holder is another"
        yield from _tries(trial, step, attempts)


def _tries(trial: Trial, step: Step, attempts: list[Attempt]) -> Iterator[str]:
    """I5: a try that began is counted, crashes included, and none that began is given back, but by whoever cancels."""
    begun = sum(attempt.started_at is not None and attempt.status != "parked" for attempt in attempts)
    given_back = [one for one in attempts if one.status == "released" and str(one.pk) in trial.began]
    if begun > MOST_ATTEMPTS or step.tries > MOST_ATTEMPTS:
        yield f"I5: step {step.key} began {begun} times"
    if given_back and "cancel" not in trial.scenario.then:
        yield f"I5: a try of step {step.key} that had begun was given back"
    if step.attempt_count != len(attempts):
        yield f"I5: step {step.key} counts {step.attempt_count} attempts and has {len(attempts)}"
    if begun > step.tries and step.status == "success":
        yield f"I5: step {step.key} began {begun} times and counted {step.tries}"


def _signatures(trial: Trial, rows: list[Execution]) -> Iterator[str]:
    """I9: what asked for people was sent only with their signatures over exactly its digest and revision."""
    for ref in trial.refs:
        for action in _actions(trial, ref).filter(redeemed_at__isnull=False, required__gt=0):
            request = ApprovalRequest.objects.filter(pk=action.approval_id).first()
            voices = Decision.objects.filter(
                request=request, verdict="approve", digest=action.digest, revision=request.revision if request else 0
            )
            signed = len(set(voices.values_list("person_id", flat=True)))
            if request is None or request.digest != action.digest or signed < action.required:
                yield f"I9: {action.tool} was redeemed with {signed} of {action.required} signatures over its digest"

    mine = Q(request__execution_id__in=[row.pk for row in rows])
    mine |= Q(request__subject_id__in=[action.pk for ref in trial.refs for action in _actions(trial, ref)])
    for digest in set(Decision.objects.filter(mine).values_list("digest", flat=True)) - trial.signs:
        yield f"I9: a signature stands over {digest[:12]}, which nobody had read"


def _actions(trial: Trial, ref: str) -> Any:
    return Action.objects.filter(arguments__contains=f'"{trial.effect_of(ref)}"')


def _trail(trial: Trial, rows: list[Execution]) -> Iterator[str]:
    """I19: every change the witness saw has its event, every event its change; the chains hold."""
    seen = sorted(_ask(trail.SEEN, [list(trail.BORN_QUIETLY)]))
    told = sorted(_ask(f"{trail.TOLD} AND id > %s", [list(trail.NOUNS.values()), _since[0]]))
    if seen != told:
        yield f"I19: changes without event {_less(seen, told)}, events without change {_less(told, seen)}"
    claims = sorted(_ask(trail.CLAIMED))
    claims_told = sorted(_ask(f"{trail.CLAIMS_TOLD} AND id > %s", [_since[0]]))
    if claims != claims_told:
        yield f"I19: {len(claims)} claims, {len(claims_told)} events of claims"
    streams = AuditEvent.objects.filter(id__gt=_since[0]).values_list("stream", flat=True).distinct()
    events = AuditEvent.objects.filter(stream__in=[*streams.exclude(stream="security")]).order_by("stream", "seq")
    heads = dict(AuditStream.objects.filter(key__in=streams).values_list("key", "head"))
    for stream, chain in groupby(events.iterator(), key=lambda event: event.stream):
        broken = first_break(stream, chain, heads[stream])
        if broken is not None:
            yield f"I19: {broken}"


def _told(trial: Trial, rows: list[Execution]) -> Iterator[str]:
    """I30: whoever listens got every notice that was committed at least once, and none that was not."""
    committed = {str(pk) for pk in Notice.objects.values_list("pk", flat=True)}
    arrived = set(ask(trial.ledger, "/hooks")["hooks"])
    if not committed <= arrived:
        yield f"I30: {len(committed - arrived)} notices never arrived"
    here = {pk for pk in arrived if UUID(pk) > _since[0]}
    if not here <= committed:
        yield f"I30: {len(here - committed)} notices arrived of what was rolled back"


def _costs(trial: Trial, rows: list[Execution]) -> Iterator[str]:
    """I18, as far as there is money: a run that was settled has its cost line, and no line is without a run."""
    for row in rows:
        for step in row.steps.filter(key="costly", status="success"):
            lines = LedgerEntry.objects.filter(execution_id=row.pk).count()
            tries = Attempt.objects.filter(step=step, started_at__isnull=False).count()
            if not 1 <= lines <= tries:
                yield f"I18: {lines} cost lines of {tries} runs"


def _reservations(trial: Trial, rows: list[Execution]) -> Iterator[str]:
    """I17 and I18: what is spent is what the ledger says, nothing stays reserved, and no window exceeds its limit."""
    left = Reservation.objects.filter(execution_id__in=[row.pk for row in rows]).count()
    if left:
        yield f"I18: {left} reservations were neither used up nor given back"
    for window in BudgetWindow.objects.all():
        held = Reservation.objects.filter(window=window).aggregate(all=Sum("amount"))["all"] or 0
        of_it = Execution.objects.filter(workflow=window.budget).values("pk")
        lines = LedgerEntry.objects.filter(execution_id__in=of_it).aggregate(all=Sum("amount"))["all"] or 0
        if window.reserved != held:
            yield f"I18: the window of {window.budget} has {window.reserved} reserved, its reservations are {held}"
        if window.spent != lines:
            yield f"I17: the window of {window.budget} has {window.spent} spent, its lines in the ledger {lines}"
        by_day = window.days.aggregate(all=Sum("spent"))["all"] or 0
        if window.spent != by_day:
            yield f"I17: the window of {window.budget} has {window.spent} spent, its days {by_day}"
        if window.spent + window.reserved > window.limit:
            yield f"I17: {window.budget} is over its limit"


def _less(some: list[tuple[str, ...]], others: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return list((Counter(some) - Counter(others)).elements())[:4]


def _ask(query: str, parameters: list[Any] | None = None) -> list[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return [tuple(map(str, row)) for row in cursor.fetchall()]
