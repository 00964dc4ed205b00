"""What must hold of any history: after each act, when all rests, and when people have done all they can."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Sum
from django.db.models.functions import Now

from approvals.models import ApprovalRequest, BreakGlass, Decision, Stop
from budgets.models import Block, BudgetWindow, LedgerEntry, Reservation
from orchestrator.models import Action, Attempt, DeadLetter, Execution, Operation, Step
from orchestrator.operations.undo_plan import HAD_EFFECT, plan_of
from orchestrator.statuses import EXECUTION, STEP
from tests import trail
from tests.histories.acts import Site
from tests.pages.asking import browser_of

UNDECIDED = ("pending", "sent_back")


def always(site: Site) -> Iterator[str]:
    """Between any two acts."""
    by_key: dict[str, list[Action]] = {}
    for action in Action.objects.all():
        by_key.setdefault(action.idempotency_key, []).append(action)
    yield from _once(site, by_key)
    yield from _as_approved(site, by_key)
    for step_id, fences in _running().items():
        if len(fences) > 1:
            yield f"I3: {len(fences)} attempts of step {Step.objects.get(pk=step_id).key} are running"
    for step in Step.objects.filter(status="in_progress").exclude(
        attempt_id__in=Attempt.objects.filter(status="running").values("pk")
    ):
        yield f"I2: step {step.key} is in progress, and nobody works on it"


def _running() -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for step_id, fence in Attempt.objects.filter(status="running").values_list("step_id", "pk"):
        found.setdefault(step_id, []).append(fence)
    return found


def _once(site: Site, by_key: dict[str, list[Action]]) -> Iterator[str]:
    """I1: each thing was done at most once in business terms, and not by a step and its stand-in both."""
    done: Counter[tuple[str, ...]] = Counter()
    for key, ref in site.provider.done:
        if key not in by_key:
            yield f"I1: {ref} was done under a key that nobody knows"
            continue
        action = by_key[key][0]
        place = (str(action.step_id), str(action.occurrence)) if action.step_id else (str(action.pk),)
        done[("undo", str(action.undoes_id)) if action.undoes_id else place] += 1
    for place, times in done.items():
        if times > 1:
            yield f"I1: {place} was done {times} times: {site.provider.done}"
    acted = {place[0] for place in done}
    for step in Step.objects.filter(pk__in=[one for one in acted if one != "undo"]):
        instead = step.spec.get("on_error")
        if (
            str(Step.objects.filter(execution_id=step.execution_id, key=instead).values_list("pk", flat=True).first())
            in acted
        ):
            yield f"I1: {step.key} and {instead}, which stands in for it, have both acted"


def _as_approved(site: Site, by_key: dict[str, list[Action]]) -> Iterator[str]:
    """I9: what went out is what stands in an action, and people signed exactly that."""
    for key, ref in site.provider.sends:
        if not any(json.loads(action.arguments)["ref"] == ref.lstrip("-") for action in by_key.get(key, [])):
            yield f"I9: {ref} was sent, and no action under its key says so"
    for action in Action.objects.filter(redeemed_at__isnull=False, required__gt=0):
        request = ApprovalRequest.objects.filter(pk=action.approval_id).first()
        voices = Decision.objects.filter(request=request, verdict="approve", digest=action.digest)
        signed = len(
            set(voices.filter(revision=request.revision if request else 0).values_list("person_id", flat=True))
        )
        alone = BreakGlass.objects.filter(request=request, revision=request.revision if request else 0).exists()
        if request is None or request.digest != action.digest or signed < (1 if alone else action.required):
            yield f"I9: {action.tool} was redeemed with {signed} of {action.required} signatures over its digest"

    for action in Action.objects.filter(redeemed_at__isnull=False, required=0, bypass_id=None).exclude(
        tier="informational"
    ):
        yield f"I9: {action.tool} is {action.tier} and went out with nobody's signature"


def at_rest(site: Site) -> Iterator[str]:
    """Nothing is due and nobody works: whatever is not over says whom it waits for."""
    live = Step.objects.exclude(status__in=STEP.final).exclude(execution__status__in=EXECUTION.final)
    for step in live:
        if not WAITS.get(step.status, _never)(step):
            yield f"I2: step {step.key} rests {step.status} (due {step.due_at}), and nothing says why: {step.why}"
    for run in Execution.objects.filter(status__in=("queued", "running")):
        yield f"I2: an execution is {run.status}, and nothing happens: {list(run.steps.values_list('key', 'status'))}"
    over = Step.objects.filter(execution__status__in=EXECUTION.final).exclude(status__in=[*STEP.final, "dead_letter"])
    for step in over.select_related("execution"):
        yield f"I2: an execution is {step.execution.status}, and its step {step.key} {step.status}"
    for action in Action.objects.unknown().filter(effect="read", step_id__isnull=False):
        yield f"people are asked what became of a read: {action.message}"
    if Attempt.objects.filter(status="running").exists():
        yield "I6: an attempt is still running"
    yield from _books(site)


def _asked(step: Step) -> bool:
    calls = Action.objects.filter(step_id=step.pk).values_list("pk", flat=True)
    found = ApprovalRequest.objects.filter(subject_id__in=[step.pk, *calls], status__in=UNDECIDED)
    return bool(found.exists())


def _doubted(step: Step) -> bool:
    return bool(Action.objects.unknown().filter(step_id=step.pk, next_look_at__isnull=False).exists())


def _never(step: Step) -> bool:
    return False


# What explains each status in which a step may rest.
WAITS: dict[str, Callable[[Step], bool]] = {
    "pending": lambda step: step.due_at is None,
    "awaiting_approval": _asked,
    "unknown_outcome": _doubted,
    "dead_letter": lambda step: DeadLetter.objects.filter(step=step, status__in=("open", "ended")).exists(),
    "stopped": lambda step: Stop.objects.engaged().exists(),
    "budget_hold": lambda step: Block.objects.filter(pk=step.pk).exists(),
}


def _books(site: Site) -> Iterator[str]:
    """I18: nothing is reserved, every sum is that of its parts. I1: what was done is known here."""
    held = list(Reservation.objects.filter(holder__in=Attempt.objects.values("pk")).values_list("holder", "amount"))
    if held:
        yield f"I18: attempts that are over hold room: {held}"
    for window in BudgetWindow.objects.all():
        reserved = window.reservations.aggregate(all=Sum("amount"))["all"] or 0
        if window.reserved != reserved:
            yield f"I18: {window.budget} has {window.reserved} reserved, its reservations are {reserved}"
        if window.spent != (window.days.aggregate(all=Sum("spent"))["all"] or 0):
            yield f"I17: {window.budget} has {window.spent} spent, and its days say otherwise"
    for block in Block.objects.filter(window__ends_at__lte=Now()):
        yield f"I2: a step waits for {block.window.budget}, whose window is over"
    known = {action.idempotency_key for action in Action.objects.filter(status__in=HAD_EFFECT)}
    for key, ref in site.provider.done:
        if key not in known:
            found = list(Action.objects.filter(idempotency_key=key).values_list("status", "tool"))
            yield f"I1: {ref} was done, and nothing here says so: {found}"
    yield from _costs()


def _costs() -> Iterator[str]:
    """Each run of a handler that told of a cost is charged once."""
    for run in Execution.objects.all():
        lines = LedgerEntry.objects.filter(execution_id=run.pk, model="m-1", kind="model").count()
        costly = [step.pk for step in run.steps.all() if (step.spec.get("arguments") or {}).get("costs")]
        begun = Attempt.objects.filter(step_id__in=costly, started_at__isnull=False)
        if not begun.filter(status__in=("succeeded",)).count() <= lines <= begun.count():
            yield f"I17: {lines} lines of cost, {begun.count()} attempts began"


def in_the_end(site: Site) -> Iterator[str]:
    """People have decided, said, redriven and given up all there is."""
    for run in Execution.objects.exclude(status__in=EXECUTION.final):
        yield f"I2: nobody can end an execution: {run.status} {list(run.steps.values_list('key', 'status', 'why'))}"
    for request in ApprovalRequest.objects.filter(status__in=UNDECIDED):
        yield f"I2: a request is {request.status} for ever: {request.title}"
    ours = Action.objects.filter(step_id__isnull=False)
    for action in ours.filter(status__in=("proposed", "held", "sent_back", "granted", "redeemed", "unknown")):
        yield f"I2: a call of an execution that is over is {action.status}: {action.tool} {action.message}"
    for letter in DeadLetter.objects.filter(status__in=("open", "redriven")):
        yield f"I2: a letter is {letter.status}, and its execution {letter.execution.status}, its step {letter.step.status}"
    for run in Execution.objects.all():
        yield from _plan(site, run)
    try:
        trail.assert_whole()
    except AssertionError as error:
        yield f"I19: the trail and the rows do not agree: {str(error)[:1500]}"


def _plan(site: Site, run: Execution) -> Iterator[str]:
    """The plan of undoing names every effect that stands, and none that does not."""
    named = {effect.action.idempotency_key for effect in plan_of(run).effects}
    mine = Action.objects.filter(execution_id=run.pk, undoes_id=None)
    keys = set(mine.exclude(effect="read").values_list("idempotency_key", flat=True))
    for key, ref in site.provider.done:
        if key in keys and key not in named:
            yield f"I1: the plan of undoing does not name {ref}"
    sure = mine.filter(status="succeeded").exclude(effect="read")
    for action in sure:
        if not any(key == action.idempotency_key for key, _ in site.provider.done) and action.step_id:
            yield f"I1: {action.tool} {action.arguments} is said to have succeeded, and never happened"


def pages(site: Site) -> Iterator[str]:
    """Whatever became of it, it can be shown: what, who, why, how much, what now, and the proof."""
    for name in ("ada", "grace"):
        browser = browser_of(get_user_model().objects.get(username=name))
        for address in _addresses():
            answer = browser.get(address, follow=True)
            if answer.status_code != 200:
                yield f"{name} asks for {address} and is answered {answer.status_code}"


def _addresses() -> Iterator[str]:
    for row in (*Execution.objects.all(), *Action.objects.all(), *DeadLetter.objects.all()):
        yield row.get_absolute_url()
    for run in Execution.objects.all():
        yield f"/traces/{run.trace_id}/"
        yield f"/api/v1/executions/{run.pk}/"
        yield f"/api/v1/executions/{run.pk}/evidence/"
        yield f"/api/v1/executions/{run.pk}/trace/"
        yield from (f"/executions/{run.pk}/?step={step.key}" for step in run.steps.all())
    yield from (f"/approvals/{pk}/" for pk in ApprovalRequest.objects.values_list("pk", flat=True))
    yield from (f"/operations/{pk}/" for pk in Operation.objects.values_list("pk", flat=True))
    yield from ("/", "/executions/", "/approvals/", "/actions/", "/dead-letters/", "/unknown-outcomes/", "/costs/", "/health/",
                "/costs/outcomes/", "/kpis/", "/rollbacks/", "/budgets/", "/audit/", "/alerts/", "/stops/")  # fmt: skip
