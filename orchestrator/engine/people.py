"""Steps that people decide: `approve` steps, and failures the workflow routes to a human. The step is the subject."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from approvals import operations as approvals
from approvals.models import ApprovalRequest
from approvals.rules.policies import DAY, HOUR
from audit.canonical import canonical, digest_text
from audit.headlines import cut
from orchestrator.engine.claims import ENGINE
from orchestrator.engine.outputs import promised
from orchestrator.engine.released import Released, released
from orchestrator.engine.retries import Failure
from orchestrator.gate.duties import Duties, Given, Hands, duties_of_agents, duties_of_step, hands_in, hands_in_all
from orchestrator.models import Action, Execution, Step
from orchestrator.workflows.binding import ROOTS, BindingError, bind
from orchestrator.workflows.spec import StepSpec
from orchestrator.workflows.templates import NoValue, say

# Asked for a release and a requester.
Owned = Callable[[UUID, str], Duties]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What an `approve` step asks people once it waits."""

    execution: Execution
    step: Step
    spec: StepSpec
    scope: dict[str, Any]
    reasons: list[str]


def ask(question: Question) -> None:
    """Open its request, in the transaction that parks the step."""
    subject, asked = _put(question, hands_in(question.execution.pk), _owned)
    approvals.open_request(subject=subject, asked=asked, by=ENGINE)


def requests_of(questions: Sequence[Question]) -> list[ApprovalRequest]:
    """The requests of these, in order, for whoever writes them together. What they have in common is looked up once."""
    hands, owned = hands_in_all([one.execution.pk for one in questions]), cache(_owned)
    return approvals.requests_of([_put(one, hands[one.execution.pk], owned) for one in questions])


def _put(question: Question, hands: Hands, owned: Owned) -> tuple[approvals.Subject, approvals.Asked]:
    """People see what comes next, and every value the conditions looked at once."""
    execution, step, spec, scope = question.execution, question.step, question.spec, question.scope
    next_steps = _next_steps(execution, step, scope)
    does = " and ".join(_in_words(**one) for one in next_steps) or "its end"
    return _framed(
        execution,
        step,
        required=max(spec.required, 1),  # releases of old could say 0, which no request may
        reasons=[*_stands_in(execution, spec), *question.reasons],
        checks=spec.checks,
        title=_said(spec.ask, spec.variables, scope)
        or cut(f"Let {execution.workflow} go on to {does}{_about(execution)}"),
        effect="continue",
        reversible=f"Approving lets the execution go on to {does}. Rejecting ends it; nothing has been done yet at this step.",
        facts={
            **_done_by_hand(hands.results),
            "because": {name: value for name, value in scope.items() if _is_named(name, spec.human_if)},
            "comes_next": next_steps,
            "input": scope["input"],
            "steps": scope["steps"],
        },
        duties=_duties(execution, hands, owned),
    )


def _said(words: str | None, variables: Mapping[str, str], scope: Mapping[str, Any]) -> str:
    """What the workflow's author wants people to read, in a line; empty where they say nothing or a value is missing."""
    try:
        return say(words or "", variables, scope)
    except NoValue:
        return ""


def _about(execution: Execution) -> str:
    """Which case it is, so that two rows of a queue can be told apart: the author's words, else a key it was started with."""
    one, scope = released(execution.release_id).spec, {**execution.input, "input": execution.input, "steps": {}}
    ids = (value for name, value in execution.input.items() if name.endswith("_id") and isinstance(value, str))
    about = _said(one.about, one.variables, scope) or execution.business_key or next(ids, "")
    return f" for {about}" if about else ""


def _is_named(name: str, conditions: tuple[str, ...]) -> bool:
    return name not in ROOTS and any(re.search(rf"(?<![\w.]){re.escape(name)}\b", one) for one in conditions)


def _stands_in(execution: Execution, spec: StepSpec) -> list[str]:
    """Of a fallback that is people's: what failed, and goes on as if it had not once they approve."""
    if spec.stands_in_for is None:
        return []
    failed = Step.objects.get(execution_id=execution.pk, key=spec.stands_in_for)
    return [f"{failed.key} failed for good, and approving stands in for it: {failed.why[:300]}"]


def _next_steps(execution: Execution, step: Step, scope: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps that wait for this one: what each does, and with what, as far as that is known already."""
    one = released(execution.release_id)
    waited_for = one.spec.main(step.key)
    return [
        {"step": after.key, "does": _does(after), **_only_if(after), **_given(one, after, scope)}
        for after in one.spec.steps
        if waited_for in after.needs
    ]


def _only_if(spec: StepSpec) -> dict[str, str]:
    return {"only_if_fails": spec.stands_in_for} if spec.stands_in_for else {}


def _in_words(step: str, does: str, only_if_fails: str = "", **_: Any) -> str:
    return f"if {only_if_fails} fails, {step} ({does})" if only_if_fails else f"{step} ({does})"


def _does(spec: StepSpec) -> str:
    asks_always = not spec.human_if or spec.stands_in_for is not None
    asks = "asks people" if asks_always else f"asks people, if {' or '.join(spec.human_if)}"
    return spec.tool or spec.agent or asks


def _follows(execution: Execution, spec: StepSpec) -> dict[str, Any]:
    """All that a step given by hand lets go on, in order: who does it sees what rests on it, and whether people are asked."""
    one = released(execution.release_id).spec
    waited_for = one.main(spec.key)
    after = [step for key in one.main_path if waited_for in one.ancestors(key) for step in [one.step(key)]]
    return {"comes_next": [{"step": step.key, "does": _does(step)} for step in after]} if after else {}


def _done_by_hand(given: list[Given]) -> dict[str, Any]:
    """Which of the earlier steps a person did, and what they noted for whoever decides on what follows."""
    said = [
        {"step": one.step, "by": one.person_name, **({"note": one.note} if one.note else {})}
        for one in given
        if one.step
    ]
    return {"by_hand": said} if said else {}


def _given(one: Released, after: StepSpec, scope: dict[str, Any]) -> dict[str, Any]:
    contract = one.tools.get(after.tool or "") or one.agents.get(after.agent or "") or {}
    try:
        return {"with": bind(after, scope, contract.get("input_schema") or {})}
    except BindingError:
        return {}  # it needs what this step or a later one gives


def route_to_human(execution: Execution, step: Step, spec: StepSpec, failure: Failure) -> None:
    """Put a failed step in front of a person, who does it and gives its result; rejecting fails the step."""
    done = _took_effect(step)
    tools = " and ".join(sorted({one["tool"] for one in done}))
    subject, asked = _framed(
        execution,
        step,
        required=1,
        title=cut(f"Take over “{step.key}” of {execution.workflow}{_about(execution)}"),
        effect="take over by hand",
        reasons=[
            *([f"Before it failed, {tools} took effect. Do not do that again: do what is left."] if done else []),
            f"The step failed and the workflow routes its failures to a person: {failure.message[:300]}",
        ],
        reversible="A person does this step and gives its result, with which the execution goes on; rejecting fails it.",
        result_schema=promised(released(execution.release_id), spec),
        facts={
            "failure_class": failure.failure_class,
            "message": failure.message,
            **({"took_effect": done} if done else {}),
            # What a person needs to do the step themselves; of a step that failed before its input was kept, the whole.
            "input": execution.input if step.input is None else step.input,
            **_follows(execution, spec),
        },
        duties=_duties(execution, hands_in(execution.pk), _owned),
    )
    approvals.open_request(subject=subject, asked=asked, by=ENGINE)


def _took_effect(step: Step) -> list[dict[str, Any]]:
    """What the step did before it failed: whoever does it by hand would do it a second time."""
    done = Action.objects.took_effect().filter(step_id=step.pk).order_by("occurrence")
    return [{"tool": one.tool, "with": json.loads(one.arguments), "gave": one.result} for one in done]


def _duties(execution: Execution, hands: Hands, owned: Owned) -> Duties:
    """The agents whose work is decided on, and the workflow's publisher."""
    one = released(execution.release_id)
    return duties_of_step(
        owned=owned(execution.release_id, execution.requester),
        workflow=f"{one.spec.workflow} {one.spec.version}",
        published_by=one.created_by,
        hands=hands,
    )


def _owned(release_id: UUID, requester: str) -> Duties:
    """In the versions that did the work, and as they are now; and of the agent that asks for it."""
    one = released(release_id)
    agents = {step.agent: one.agents[step.agent]["version"] for step in one.spec.steps if step.agent}
    asking = [requester.removeprefix("agent:")] if requester.startswith("agent:") else []
    return duties_of_agents([*agents, *asking], pinned=agents)


def _framed(
    execution: Execution,
    step: Step,
    *,
    required: int,
    title: str,
    reasons: list[str],
    effect: str,
    reversible: str,
    facts: dict[str, Any],
    duties: Duties,
    checks: tuple[str, ...] = (),
    result_schema: Mapping[str, Any] | None = None,
) -> tuple[approvals.Subject, approvals.Asked]:
    """The step as people see it, frozen, and what is asked of them."""
    snapshot = canonical(
        {
            "tool": f"step:{step.key}",
            "tool_version": "",
            "arguments": facts,
            "unit": str(execution.unit_id),
            "agent": "",
            "record": None,
            "release": str(execution.release_id),
            "policy_version": "workflow",
            "revision": step.attempt_count,
            "execution": str(execution.pk),
        }
    )
    subject = approvals.Subject(
        id=step.pk,
        unit_id=execution.unit_id,
        unit_title=execution.unit_title,
        execution_id=execution.pk,
        title=title,
        tool=f"step:{step.key}",
        tool_version="",
        agent="",
        effect=effect,
        reversible=reversible,
        snapshot=snapshot,
        digest=digest_text(snapshot),
        revision=step.attempt_count,
        tier="financial" if required > 1 else "customer_facing",
        requester=execution.requester,
        requester_name=execution.requester_name,
        duties=duties,
        result_schema=result_schema,
    )
    asked = approvals.Asked(
        required=required,
        policy_version=f"workflow {execution.workflow}",
        reasons=tuple(reasons),
        checks=checks,
        decide_within_seconds=DAY,
        use_within_seconds=HOUR,
    )
    return subject, asked
