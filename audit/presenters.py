"""Event name -> one human sentence. An event this table does not know is told by its own name, never dropped.

A key is `event`, or `event<before` where the sentence depends on the status the row came from.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from audit.models import AuditEvent


class Line(NamedTuple):
    """A sentence with {actor}, {name} and facts of the event's data in it, and how it looks."""

    sentence: str
    tone: str = "neutral"
    icon: str = "dot"


@dataclass(frozen=True, slots=True)
class Told:
    """One event as a page shows it: the sentence, who (if a person or an agent), why in the words recorded, the event."""

    at: datetime
    title: str
    detail: str
    actor: str
    tone: str
    icon: str
    event: AuditEvent
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where the entry stands: the stream, by kind and the telling end of its id, and the place in it."""
        kind, _, name = self.event.stream.partition(":")
        return f"{spoken(kind)} {name[-8:]} #{self.event.seq}"


# What pages call otherwise than the trail, which keeps the names it began with.
CALLED = {"seeded_item": "test item"}


def spoken(kind: str) -> str:
    """What an event is about, as people call it."""
    return CALLED.get(kind, kind.replace("_", " "))


LINES: dict[str, Line] = {
    "execution.queued": Line("The execution was started", "info", "arrow"),
    "execution.running": Line("A worker took it up", "progress", "half"),
    "execution.running<waiting": Line("The execution goes on", "progress", "half"),
    "execution.running<dead_lettered": Line("The execution goes on after a redrive", "progress", "loop"),
    "execution.waiting": Line("Nothing left to do until somebody decides", "wait", "hourglass"),
    "execution.succeeded": Line("The execution is done", "ok", "check"),
    "execution.failed": Line("The execution failed", "danger", "cross"),
    "execution.dead_lettered": Line("The execution stopped: a step is a dead letter", "critical", "octagon"),
    "execution.cancelled": Line("The execution was cancelled", "neutral", "slash"),
    "execution.undo_asked": Line("{actor} asked to undo {effects} of its effects", "wait", "back"),
    "execution.timed_out": Line("The execution ran out of time", "danger", "clock-cross"),
    "step.pending": Line("Step {name} may run"),
    "step.pending<in_progress": Line("Step {name} was given back unfinished", "neutral", "back"),
    "step.pending<scheduled": Line("Retry of {name} is due", "progress", "loop"),
    "step.pending<awaiting_approval": Line("Step {name} may go on: people have decided", "info", "arrow"),
    "step.pending<unknown_outcome": Line("Step {name} may go on: a person said what happened", "info", "arrow"),
    "step.pending<dead_letter": Line("Step {name} was queued for retry", "progress", "loop"),
    "step.stopped": Line("Step {name} waits: a person has stopped it", "critical", "octagon"),
    "breaker.closed": Line("Calls go out", "ok", "check"),
    "breaker.open": Line("The breaker opened: nothing is sent for a while", "critical", "octagon"),
    "breaker.trying": Line("One call finds out whether the other system answers again", "wait", "half"),
    "step.throttled": Line("Step {name} waits for its turn: a limit is reached", "wait", "clock"),
    "step.pending<throttled": Line("Step {name} asks again for its turn", "info", "arrow"),
    "step.pending<stopped": Line("Step {name} may go on: the stop was lifted", "info", "arrow"),
    "approval_request.glass_broken": Line("{actor} broke the glass and signed alone", "critical", "warning"),
    "break_glass.open": Line("{actor} signed alone where two must", "critical", "warning"),
    "break_glass.justified": Line("{actor} looked at it afterwards: it was justified", "ok", "check"),
    "break_glass.objected": Line("{actor} looked at it afterwards, and objects", "danger", "flag"),
    "second_look_seed.committed": Line("Committed to the secret of the draws of {day}", "neutral", "lock"),
    "second_look.drawn": Line("Drawn for a second look: {percent} % are", "info", "eye"),
    "second_look.passed_over": Line("Not drawn for a second look: {percent} % are"),
    "second_look.open": Line("A second look waits for somebody who has seen none of it", "info", "eye"),
    "second_look.agreed": Line("{actor} looked again, and agrees", "ok", "check"),
    "second_look.disagreed": Line("{actor} looked again, and would have decided otherwise", "danger", "flag"),
    "second_look.expired": Line("Nobody took the second look in time"),
    "second_look.seen": Line("{actor} asked how it was decided, and does not look again"),
    "seeded_item.waiting": Line("{actor} put a test item in front of the reviewers: known {expected}", "info", "flask"),
    "seeded_item.caught": Line("The test item was caught: a reviewer {act} it", "ok", "check"),
    "seeded_item.missed": Line("The test item was missed: a reviewer {act} it", "danger", "warning"),
    "seeded_item.passed": Line("The good test item was let through: a reviewer {act} it", "ok", "check"),
    "seeded_item.objected": Line("The good test item was stopped: a reviewer {act} it", "wait", "hand"),
    "seeded_item.lapsed": Line("Nobody decided on the test item", "neutral", "dash"),
    "evaluation_case.candidate": Line("Kept as a candidate for evaluation: {kind}", "info", "flask"),
    "evaluation_case.accepted": Line("{actor} accepted an evaluation case", "ok", "check"),
    "evaluation_case.dismissed": Line("{actor} dismissed an evaluation case", "neutral", "bin"),
    "evaluation_case.exported": Line("{actor} exported {cases} evaluation cases", "info", "arrow"),
    "bypass.draft": Line("Proposed a bypass", "wait", "pencil"),
    "bypass.active": Line("Activated a bypass", "critical", "warning"),
    "bypass.retired": Line("The bypass ended", "ok", "check"),
    "bypass.edited": Line("Edited a proposed bypass", "neutral", "pencil"),
    "stop.engaged": Line("Stopped: {name}", "critical", "octagon"),
    "stop.lifted": Line("The stop was lifted: {name}", "ok", "check"),
    "approval_request.frozen": Line("Its clocks stand still: a stop covers it", "wait", "pause"),
    "approval_request.thawed": Line("Its clocks run again, moved by the time they stood still", "info", "clock"),
    "step.pending<budget_hold": Line("Step {name} may go on: there is budget", "info", "arrow"),
    "step.in_progress": Line("Attempt {number} of {name} started", "progress", "half"),
    "step.success": Line("Step {name} succeeded", "ok", "check"),
    "step.business_error": Line("Step {name}: business error, which is never retried", "danger", "cross"),
    "step.system_error": Line("Step {name}: system error", "danger", "warning"),
    "step.scheduled": Line("Retry of {name} scheduled, with the same idempotency key", "wait", "clock"),
    "step.dead_letter": Line("Step {name} is a dead letter", "critical", "octagon"),
    "step.awaiting_approval": Line("Step {name} waits for people; its worker is free", "wait", "hourglass"),
    "step.budget_hold": Line("Step {name} waits for budget", "wait", "lock"),
    "step.unknown_outcome": Line("Step {name}: unknown outcome, a person has to say what happened", "wait", "question"),
    "step.cancelled": Line("Step {name} was cancelled", "neutral", "slash"),
    "step.skipped": Line("Step {name} was not needed", "neutral", "skip"),
    "alert.timeout": Line("Alert: {name} ran into its time limit", "danger", "clock-cross"),
    "alert.unknown_outcome": Line("Alert: {name} was sent, and no answer came", "danger", "question"),
    "alert.cannot_start": Line("Alert: {name} could not be started by the worker that took it", "danger", "warning"),
    "alert.fallback": Line("Fallback: {name} stands in for {stands_in_for}, which failed for good", "wait", "swap"),
    "raised_alert.open": Line("Raised: {title}", "danger", "flag"),
    "raised_alert.open<resolved": Line("Raised again: {title}", "danger", "loop"),
    "raised_alert.acknowledged": Line("{actor} acknowledged it", "info", "hand"),
    "raised_alert.resolved": Line("Seen to be over", "ok", "check"),
    "raised_alert.reminded": Line("Its owner was reminded", "wait", "clock"),
    "raised_alert.handed_over": Line("{actor} handed it to {owner}", "info", "person"),
    "raised_alert.muted": Line("{actor} muted it until {until}", "neutral", "pause"),
    "raised_alert.unmuted": Line("{actor} lets it be told again", "neutral", "speech"),
    "alert.empty_result": Line(
        "Alert: {name} returned nothing where its contract promises something", "danger", "dash"
    ),
    "attempt.running": Line("{name} started", "progress", "half"),
    "attempt.succeeded": Line("{name} succeeded", "ok", "check"),
    "attempt.failed": Line("{name} failed", "danger", "cross"),
    "attempt.parked": Line("{name} was parked; waiting does not count as work", "neutral", "pause"),
    "attempt.lost": Line("{name} was lost: its worker stopped answering", "danger", "broken-link"),
    "attempt.released": Line("{name} was handed back unstarted", "neutral", "back"),
    "action.proposed": Line("Proposed: {name}", "neutral", "speech"),
    "action.held": Line("Held for people: {name}", "wait", "hourglass"),
    "action.granted": Line("Allowed by policy: {name}", "info", "flag"),
    "action.granted<held": Line("Released by the signatures: {name}", "info", "flag"),
    "action.granted<unknown": Line("Cleared to be sent again under the same key: {name}", "info", "loop"),
    "action.granted<failed": Line("Cleared to be sent again under the same key: {name}", "info", "loop"),
    "action.redeemed": Line("Sent: {name}", "progress", "arrow"),
    "action.succeeded": Line("Done: {name}", "ok", "check"),
    "action.succeeded<unknown": Line("Found to have happened: {name}", "ok", "check"),
    "action.failed": Line("Failed: {name}", "danger", "cross"),
    "action.failed<unknown": Line("Found not to have happened: {name}", "danger", "cross"),
    "action.unknown": Line("Sent, and no answer came: {name}", "wait", "question"),
    "action.reconciled": Line("Looked up by business key {business_key}", "info", "search"),
    "action.answered_by_person": Line("{actor} said what happened: {name}", "info", "person"),
    "action.reminded": Line("Still nobody has said what happened: {name}", "wait", "clock"),
    "action.denied": Line("Denied by policy: {name}", "danger", "gate"),
    "action.rejected": Line("Rejected by a reviewer: {name}", "danger", "cross"),
    "action.held<sent_back": Line("The question was answered: {name} waits for reviewers again", "wait", "hourglass"),
    "action.sent_back": Line("Sent back with a question: {name}", "info", "speech"),
    "action.edited": Line("A reviewer edited the arguments: {name}", "info", "pencil"),
    "action.answered": Line("A person gave the result, nothing was carried out: {name}", "info", "person"),
    "action.expired": Line("Ran out of time: {name}", "neutral", "dash"),
    "action.withdrawn": Line("Taken back: {name}", "neutral", "back"),
    "action.void": Line("Void, because what was approved is not what would be sent: {name}", "neutral", "swap"),
    "action.undone": Line("Undone: {name}", "neutral", "back-check"),
    "approval_request.pending": Line("Asked people: {required} must sign", "wait", "people"),
    "approval_request.signed_approve": Line("{actor} signed for it", "ok", "check"),
    "approval_request.signed_reject": Line("{actor} signed against it", "danger", "cross"),
    "approval_request.signed_answer": Line("{actor} gave the result", "info", "person"),
    "approval_request.pending<sent_back": Line("{actor} answered; it waits for reviewers again", "wait", "people"),
    "approval_request.sent_back": Line("{actor} sent it back with a question", "info", "speech"),
    "approval_request.edited": Line(
        "{actor} edited it: revision {revision}, earlier signatures are void", "info", "pencil"
    ),
    "approval_request.reading_asked": Line("{actor} asked for the record to be read again", "neutral", "loop"),
    "approval_request.record_unchanged": Line("The record was read again: unchanged", "neutral", "check"),
    "approval_request.record_changed": Line(
        "The record was read again and had changed: signatures so far are void", "wait", "swap"
    ),
    "approval_request.record_failed": Line("The record could not be read again", "wait", "warning"),
    "approval_request.answered": Line("A person gave the result; nothing is carried out", "info", "person"),
    "approval_request.claimed": Line("{actor} claimed it", "info", "hand"),
    "approval_request.claim_renewed": Line("{actor} reads on: the claim was extended", "neutral", "hand"),
    "approval_request.taken_over": Line("{actor} took over a claim that had lapsed", "info", "hand"),
    "approval_request.claim_lapsed": Line("A claim lapsed, and holds no place any more", "neutral", "clock"),
    "approval_request.released": Line("{actor} released the claim", "neutral", "back"),
    "approval_request.assigned": Line("{actor} asked a colleague to look at it", "neutral", "person"),
    "approval_request.reminded": Line(
        "Reminded the reviewers: {percent} % of the time to decide is over", "wait", "clock"
    ),
    "approval_request.escalated": Line("Escalated to {asked} after {percent} % of the time", "critical", "up"),
    "approval_request.overdue": Line("The time to decide is over, and nobody has decided", "critical", "clock-mark"),
    "approval_request.approved": Line("Approved: nobody else has to sign", "ok", "check"),
    "approval_request.used": Line("The approval was used, once", "ok", "check"),
    "approval_request.rejected": Line("Rejected", "danger", "cross"),
    "approval_request.expired": Line("The approval request expired", "neutral", "dash"),
    "approval_request.withdrawn": Line("The approval request was withdrawn", "neutral", "back"),
    "approval_request.void": Line("The approval is void", "neutral", "swap"),
    "bulk_operation.previewed": Line("{actor} chose requests to {act} in bulk: {items}", "neutral", "eye"),
    "bulk_operation.running": Line("{actor} confirmed the bulk operation", "progress", "half"),
    "bulk_operation.done": Line("The bulk operation is done: {done} done, {refused} refused", "ok", "check"),
    "saved_view.saved": Line("{actor} saved a view of the queue"),
    "saved_view.deleted": Line("{actor} deleted a view of the queue"),
    "saved_view.made_default": Line("{actor} opens the queue with a saved view"),
    "saved_view.no_longer_default": Line("{actor} opens the queue with all that waits again"),
    "delegation.given": Line("{actor} delegated the right to sign", "info", "people"),
    "delegation.revoked": Line("{actor} ended a delegation", "neutral", "back"),
    "absence.announced": Line("{actor} announced an absence", "neutral", "clock"),
    "absence.revoked": Line("{actor} is back", "neutral", "back"),
    "dead_letter.open": Line("Put among the dead letters: {name}", "critical", "octagon"),
    "dead_letter.open<redriven": Line("The redrive failed: {name} is open again", "critical", "octagon"),
    "dead_letter.redriven": Line("Queued for retry: {name}", "progress", "loop"),
    "dead_letter.fixed": Line("Fixed: {name} was seen to succeed", "ok", "check"),
    "dead_letter.discarded": Line("Discarded: {name}", "neutral", "bin"),
    "dead_letter.ended": Line("Over without a success: {name}", "neutral", "dash"),
    "step.patched": Line("{actor} patched the input of {name}: version {version}", "info", "pencil"),
    "failure_group.new": Line("A failure of a new kind", "info", "dot"),
    "failure_group.ongoing": Line("Being looked after", "wait", "wave"),
    "failure_group.ongoing<parked": Line("It no longer rests", "wait", "wave"),
    "failure_group.ongoing<fixed": Line("{actor} took back that it is fixed", "wait", "wave"),
    "failure_group.ongoing<merged": Line("A group of its own again", "wait", "wave"),
    "failure_group.ongoing<escalating": Line("No more than usual again", "wait", "wave"),
    "failure_group.escalating": Line("Escalating: several times as many as usual", "critical", "rising"),
    "failure_group.regressed": Line("Regressed: it came back where the fix should be", "danger", "loop"),
    "failure_group.parked": Line("{actor} parked it", "neutral", "pause"),
    "failure_group.fixed": Line("{actor} said the cause is fixed", "ok", "check"),
    "failure_group.merged": Line("{actor} merged it into another group; letters: {letters}", "neutral", "swap"),
    "failure_group.grown": Line("{actor} merged another group into it; letters: {letters}", "neutral", "plus"),
    "failure_group.split": Line("{actor} split off letters by {by}: {letters}", "neutral", "swap"),
    "failure_group.taken": Line("{actor} took it", "info", "hand"),
    "failure_group.ticket_linked": Line("{actor} linked a ticket", "neutral", "link"),
    "failure_group.ticket_removed": Line("{actor} took the ticket's link away", "neutral", "link"),
    "operation.previewed": Line("{actor} chose letters to {act}: {letters}", "neutral", "eye"),
    "operation.second_person": Line("{actor} confirmed; a second person has to agree", "wait", "people"),
    "operation.running": Line("{actor} confirmed it", "progress", "half"),
    "operation.running<second_person": Line("{actor} agreed as the second person", "progress", "half"),
    "operation.running<paused": Line("{actor} let it go on", "progress", "half"),
    "operation.running<halted": Line("{actor} looked, and let it go on", "progress", "half"),
    "operation.paused": Line("Paused", "neutral", "pause"),
    "operation.halted": Line("It stopped itself", "critical", "octagon"),
    "operation.cancelled": Line("{actor} cancelled it", "neutral", "slash"),
    "operation.done": Line("It is done", "ok", "check"),
    "operation_item.waiting": Line("A letter waits for its turn"),
    "operation_item.left_out": Line("A letter was left out", "neutral", "skip"),
    "operation_item.under_way": Line("A letter was queued for retry", "progress", "arrow"),
    "operation_item.fixed": Line("A letter was seen to succeed", "ok", "check"),
    "operation_item.failed": Line("A letter failed again", "danger", "cross"),
    "operation_item.refused": Line("A letter was refused", "wait", "gate"),
    "operation_item.discarded": Line("A letter was discarded", "neutral", "bin"),
    "operation_item.not_tried": Line("A letter was not tried", "neutral", "dash"),
    "approval_policy.draft": Line("Drafted a policy", "neutral", "pencil"),
    "approval_policy.active": Line("Activated a policy", "ok", "check"),
    "approval_policy.retired": Line("Retired a policy", "neutral", "box"),
    "approval_policy.edited": Line("Edited a policy draft", "neutral", "pencil"),
    "reviewer_group.draft": Line("Drafted a reviewer group", "neutral", "pencil"),
    "reviewer_group.active": Line("Activated a reviewer group", "ok", "check"),
    "reviewer_group.retired": Line("Retired a reviewer group", "neutral", "box"),
    "reviewer_group.edited": Line("Edited a draft of a reviewer group", "neutral", "pencil"),
    "business_calendar.draft": Line("Drafted a business calendar", "neutral", "pencil"),
    "business_calendar.active": Line("Activated a business calendar", "ok", "check"),
    "business_calendar.retired": Line("Retired a business calendar", "neutral", "box"),
    "business_calendar.edited": Line("Edited a draft of a business calendar", "neutral", "pencil"),
    "linked_accounts.draft": Line("Drafted a link of accounts", "neutral", "pencil"),
    "linked_accounts.active": Line("Activated a link of accounts", "ok", "check"),
    "linked_accounts.retired": Line("Retired a link of accounts", "neutral", "box"),
    "linked_accounts.edited": Line("Edited a draft of a link of accounts", "neutral", "pencil"),
    "escalation_level.draft": Line("Drafted an escalation level", "neutral", "pencil"),
    "escalation_level.active": Line("Activated an escalation level", "ok", "check"),
    "escalation_level.retired": Line("Retired an escalation level", "neutral", "box"),
    "escalation_level.edited": Line("Edited an escalation level draft", "neutral", "pencil"),
    "tool.draft": Line("Drafted a tool", "neutral", "pencil"),
    "tool.active": Line("Activated a tool", "ok", "check"),
    "tool.retired": Line("Retired a tool", "neutral", "box"),
    "tool.edited": Line("Edited a tool draft", "neutral", "pencil"),
    "agent.draft": Line("Drafted an agent", "neutral", "pencil"),
    "agent.active": Line("Activated an agent", "ok", "check"),
    "agent.retired": Line("Retired an agent", "neutral", "box"),
    "agent.edited": Line("Edited an agent draft", "neutral", "pencil"),
    "budget.draft": Line("Drafted a budget", "neutral", "pencil"),
    "budget.active": Line("Activated a budget", "ok", "check"),
    "budget.retired": Line("Retired a budget", "neutral", "box"),
    "budget.edited": Line("Edited a budget draft", "neutral", "pencil"),
    "budget_exception.draft": Line("Drafted an exception from a budget", "neutral", "pencil"),
    "budget_exception.active": Line("Activated an exception from a budget", "ok", "check"),
    "budget_exception.retired": Line("Retired an exception from a budget", "neutral", "box"),
    "budget_exception.edited": Line("Edited a draft of an exception from a budget", "neutral", "pencil"),
    "price.draft": Line("Drafted a contract price", "neutral", "pencil"),
    "price.active": Line("Activated a contract price", "ok", "check"),
    "price.retired": Line("Retired a contract price", "neutral", "box"),
    "price.edited": Line("Edited a draft of a contract price", "neutral", "pencil"),
    "limit.draft": Line("Drafted a limit", "neutral", "pencil"),
    "limit.active": Line("Activated a limit", "ok", "check"),
    "limit.retired": Line("Retired a limit", "neutral", "box"),
    "limit.edited": Line("Edited a limit draft", "neutral", "pencil"),
    "service_level.draft": Line("Drafted a service level", "neutral", "pencil"),
    "service_level.active": Line("Activated a service level", "ok", "check"),
    "service_level.retired": Line("Retired a service level", "neutral", "box"),
    "service_level.edited": Line("Edited a draft of a service level", "neutral", "pencil"),
    "token.issued": Line("Issued a token for {agent}", "info", "plus"),
    "token.revoked": Line("Revoked a token", "wait", "bin"),
    "business_unit.draft": Line("Drafted a business unit", "neutral", "pencil"),
    "business_unit.active": Line("Activated a business unit", "ok", "check"),
    "business_unit.retired": Line("Retired a business unit", "neutral", "box"),
    "business_unit.end_asked": Line("{actor} asked to retire a business unit", "wait", "hourglass"),
    "business_unit.edited": Line("Edited a business unit draft", "neutral", "pencil"),
    "release.built": Line("A release was built", "info", "box"),
    "release.promoted": Line("A release went into production", "ok", "arrow"),
    "traces.set_aside": Line("The trace sink refused {spans} spans ({status}); they are set aside", "wait", "gate"),
    "traces.switched_off": Line("No worker has sent traces for a day; their place is forgotten", "wait", "gate"),
    "traces.resent": Line("The trace sink took {spans} spans that were set aside", "ok", "check"),
    "spans.refused": Line("{count} spans that {actor} sent could not be kept", "wait", "gate"),
    "spans.removed": Line(
        "{spans} spans of {traces} traces that agents had reported were removed: their time is over", "neutral", "box"
    ),
    "ledger.corrected": Line("{actor} corrected a cost line by {change} {currency}", "wait", "pencil"),
    "usage.reported": Line("An agent reported what its calls used", "neutral", "sum"),
    "person.notifications_changed": Line("{actor} changed how they are told", "neutral", "pencil"),
    "webhook_endpoint.added": Line("Added the webhook {name}", "info", "plus"),
    "webhook_endpoint.changed": Line("Changed the webhook {name}", "neutral", "pencil"),
    "person.signed_in": Line("Signed in", "neutral", "person"),
    "person.signed_out": Line("Signed out", "neutral", "person"),
    "person.sign_in_failed": Line("Failed to sign in", "danger", "warning"),
    "person.sign_in_locked": Line("Signing in was locked: too many wrong tries", "critical", "lock"),
    "person.password_changed": Line("Changed their password", "wait", "lock"),
    "person.confirmed": Line("Confirmed with a second factor", "neutral", "lock"),
    "person.factor_added": Line("Added a second factor", "info", "plus"),
    "person.factor_removed": Line("Removed a second factor", "wait", "bin"),
    "person.recovery_codes_made": Line("Made recovery codes", "info", "plus"),
    "person.factors_reset": Line("Reset the second factors of {name}", "critical", "warning"),
    "person.factors_encrypted": Line("Encrypted {count} secrets of second factors anew", "wait", "lock"),
    "person.factor_refused": Line("Gave a wrong or used second factor or password", "danger", "warning"),
    "person.factor_locked": Line("Was locked for too many wrong tries", "critical", "lock"),
    "person.account_made": Line("Made an account for {name}", "info", "plus"),
    "person.account_changed": Line("Changed the account of {name}: {changed}", "wait", "pencil"),
    "person.account_removed": Line("Removed the account of {name}", "wait", "bin"),
    "person.role_given": Line("Gave {name} a role: {role}", "wait", "plus"),
    "person.role_taken": Line("Took a role from {name}: {role}", "wait", "bin"),
    "group.role_given": Line("Gave the group {name} a role: {role}", "wait", "plus"),
    "group.role_taken": Line("Took a role from the group {name}: {role}", "wait", "bin"),
    "audit_chain.verified": Line("Verified the trail: all of {streams} chains held", "ok", "link-check"),
    "audit_chain.broken": Line("Verified the trail: a chain is broken", "critical", "broken-link"),
    "database.moved": Line("The data was found on another server; sums are made anew", "wait", "swap"),
    "backup.reported": Line("Reported a backup", "ok", "box"),
    "strangers.left_out": Line("{count} {what} of nobody signed in are only counted here", "wait", "gate"),
    "request.refused": Line("Was refused: {route}", "wait", "gate"),
}


def tell(event: AuditEvent, names: Mapping[UUID, str]) -> Told:
    """The event as a sentence. `names` says what the objects are called; without one, a word of their kind."""
    line = LINES.get(f"{event.event}<{event.before}") or LINES.get(event.event) or _unknown(event)
    facts = facts_of(event)
    name = names.get(event.object_id, "") if event.object_id else ""
    called = name or facts.get("name") or facts.get("tool") or facts.get("step") or _kind(event)
    words = _Words({**facts, "name": called, "actor": event.actor_name})
    return Told(
        at=event.at,
        title=line.sentence.format_map(words),
        detail=event.why,
        actor="" if event.actor.startswith("system:") else event.actor_name,
        tone=line.tone,
        icon=line.icon,
        event=event,
        facts=facts,
    )


class _Words(dict[str, Any]):
    """What a sentence may mention. A fact the event does not hold is "?", so that one bad row spoils no page."""

    def __missing__(self, key: str) -> str:
        return "?"


def facts_of(event: AuditEvent) -> dict[str, Any]:
    try:
        facts = json.loads(event.data) if event.data else {}
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def _unknown(event: AuditEvent) -> Line:
    words = event.event.replace(".", " ").replace("_", " ").replace("{", "").replace("}", "")
    return Line(words.capitalize() or "Something happened")


def _kind(event: AuditEvent) -> str:
    return event.event.partition(".")[0].replace("_", " ")
