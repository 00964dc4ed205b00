"""A reviewer edits a held call: other values, the same shape. The edited bytes wait for signatures like any proposal.

Nobody signs by editing. The editor reads the new page and signs there like everybody else, and in a two-person act
another person does, too.
"""

import json
from typing import Any
from uuid import UUID

from django.db import transaction

from approvals import operations as approvals
from approvals.models import ApprovalRequest
from approvals.operations import seeding
from approvals.operations.edits import Amended, amend
from approvals.quorum import Need, people_of, union
from approvals.rules.locks import lock_request
from approvals.rules.policies import Requirement
from audit import lifecycle
from audit.actors import Actor
from audit.refusals import Invalid, Refusal, Stale
from orchestrator.gate.announce import announce
from orchestrator.gate.contracts import problems_with
from orchestrator.gate.duties import duties_of
from orchestrator.gate.judge import Judged, judge_again, tier_of
from orchestrator.gate.keys import business_key_of
from orchestrator.gate.locks import lock_action
from orchestrator.gate.mentions import mentions_of
from orchestrator.gate.propose import canonical_arguments
from orchestrator.gate.snapshot import digest_of, snapshot_of, title_of
from orchestrator.models import Action, Tool
from orchestrator.statuses import ActionStatus


class NotEditable(Refusal):
    """There is nothing in it that could be edited, or editing it could make an effect happen twice, or take back another one."""

    code = "not_editable"


@transaction.atomic
def edit(
    *, request_id: UUID, by: Actor, digest: str, revision: int, arguments: dict[str, Any], note: str = ""
) -> ApprovalRequest:
    """Put edited arguments in the place of the proposed ones. Earlier signatures are void; policies judge anew.

    Raises Invalid (another shape, not within the schema), NotEditable, Stale, Forbidden, NotVisible.
    """
    request = lock_request(request_id, by)
    text = canonical_arguments(arguments)
    if _did_it_before(request, by, digest, text):
        return request
    approvals.refuse_unless_waiting(request, by, digest=digest, revision=revision)
    if request.is_test:
        return seeding.end_beside(request, act="edited", by=by)
    action = _editable(request)
    _refuse_another_shape(json.loads(action.arguments), arguments)
    if text == action.arguments:
        raise Invalid(
            "Nothing is different.", errors=[("/arguments", "unchanged", "Change a value, or approve as it is.")]
        )
    amended = _rewrite(action, arguments, text, request)
    amend(request=request, amended=amended, by=by, note=note)
    lifecycle.note(action, "action.edited", by=by, data={"digest": action.digest, "revision": action.revision})
    announce(action)
    return request


def _did_it_before(request: ApprovalRequest, by: Actor, digest: str, text: str) -> bool:
    """A double click, or an answer that was lost: the same edit of the same bytes by the same person.

    Raises Changed where it was made and something else stands there now: it is told what became of it.
    """
    made = request.edits.filter(person_id=by.user_id, before_digest=digest).first()
    if made is None or canonical_arguments(json.loads(made.after)["arguments"]) != text:
        return False
    if not Action.objects.filter(pk=request.subject_id, arguments=text).exists():
        raise approvals.Changed("Your edit was recorded, and edited again since. Please read it as it stands now.")
    return True


def _editable(request: ApprovalRequest) -> Action:
    if not Action.objects.filter(pk=request.subject_id).exists():
        raise NotEditable("Only the arguments of a tool call can be edited. Decide on this as it is.")
    action = lock_action(request.subject_id)
    if action.status != ActionStatus.HELD:
        raise Stale(f"The action is {action.status}. Nothing was changed.")
    if action.undoes_id:
        # With other arguments it would take back something else, and that effect would count as undone.
        raise NotEditable(
            "It takes back what was done, to the letter. Decide on it as it is.",
            remedy="Reject it, and take the effect back by hand.",
        )
    shared = Action.objects.filter(tool=action.tool, idempotency_key=action.idempotency_key).exclude(pk=action.pk)
    if shared.filter(redeemed_at__isnull=False).exists():
        # The other side may have it under this key, and would answer the edited call with the old effect.
        raise NotEditable("An earlier revision of this call may have been sent. Reject it rather than edit it.")
    return action


def _refuse_another_shape(old: Any, new: Any) -> None:
    errors = [(f"/arguments{place}", "other_shape", words) for place, words in _other_shape(old, new, "")][:20]
    if errors:
        raise Invalid("An edit changes values, not what there is or of which type it is.", errors=errors)


def _other_shape(old: Any, new: Any, place: str) -> list[tuple[str, str]]:
    if _type_of(old) != _type_of(new):
        return [(place, f"This is {_type_of(old)}, and has to stay so.")]
    if isinstance(old, dict):
        if old.keys() != new.keys():
            return [(place, "Names can be neither added nor taken away.")]
        return [fault for name in old for fault in _other_shape(old[name], new[name], f"{place}/{name}")]
    if isinstance(old, list):
        if len(old) != len(new):
            return [(place, "Items can be neither added nor taken away.")]
        return [fault for at, part in enumerate(old) for fault in _other_shape(part, new[at], f"{place}/{at}")]
    return []


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "yes or no"
    words = {str: "text", int: "a number", float: "a number", dict: "an object", list: "a list"}
    return words.get(type(value), "nothing")


def _rewrite(action: Action, arguments: dict[str, Any], text: str, request: ApprovalRequest) -> Amended:
    """Judge the edited call by the contracts and policies in force now, and store it. Never fewer people than before."""
    judged = judge_again(action, arguments)
    if judged.verdict == "deny":
        raise _denied(judged, arguments)
    tool = judged.known_tool()
    if tool.version != action.tool_version:
        raise Stale(f"The tool was replaced by version {tool.version} since it was asked. Reject it instead.")
    need = judged.requirement
    _store(action, arguments, text, tool)
    action.required = _people(request, need)
    action.tier = tier_of(action.required, action.tier)
    action.policy_version = need.policy_version
    action.digest = digest_of(action)
    action.save(update_fields=EDITED)
    return Amended(
        snapshot=snapshot_of(action),
        digest=action.digest,
        revision=action.revision,
        # Without the record: it was read for the arguments as proposed, and may name another account.
        title=title_of(tool, arguments),
        required=action.required,
        tier=action.tier,
        reasons=list(dict.fromkeys([*need.reasons, *_kept(request, need)])),
        policy_version=action.policy_version,
        needs=need.needs,
        reason_codes=need.reason_codes,
        checks=need.checks,
        step_up=need.step_up,
        duties=duties_of(action, tool=tool, requirement=need),
        found=mentions_of(action),
    )


def _denied(judged: Judged, arguments: dict[str, Any]) -> Invalid:
    """What the contract says of a value is said of that value; whatever else speaks against the call, of all of it."""
    words = "; ".join(judged.reasons)
    faults = problems_with(arguments, judged.tool.input_schema) if judged.tool else []
    errors = [(f"/arguments{place}", "schema", f"This {rule}.") for place, rule in faults]
    if len(faults) < len(judged.reasons):
        errors.append(("/arguments", "denied", words))
    return Invalid(words, errors=errors)


def _people(request: ApprovalRequest, need: Requirement) -> int:
    """As many as before at least, and room for everybody's group."""
    return people_of(max(request.required, need.required), union([Need.read(request.needs), need.needs]))


EDITED = ["proposed", "arguments", "revision", "business_key", "required", "tier", "policy_version", "digest"]


def _store(action: Action, arguments: dict[str, Any], text: str, tool: Tool) -> None:
    before = json.loads(action.arguments)
    if action.business_key == business_key_of(tool, before):
        action.business_key = business_key_of(tool, arguments)
    action.proposed = action.proposed or action.arguments
    action.arguments = text
    action.revision += 1


def _kept(request: ApprovalRequest, need: Requirement) -> list[str]:
    """The reasons it was asked for, unless the edited call asks for all of it, and for more people."""
    covered = set(request.checks) <= set(need.checks) and set(Need.read(request.needs)) <= set(need.needs)
    return [] if covered and need.required > request.required else list(request.reasons)
