"""What a dead letter means, as a record that people and programs read: which component, what kind of failure, what to do."""

from dataclasses import dataclass

from orchestrator.models import DeadLetter

# Failure class -> what it means, what to do, and whether redriving alone can help.
_KNOWN: dict[str, tuple[str, str, bool]] = {
    "system": ("The other side failed.", "See that it works again, then redrive.", True),
    "timeout": ("No answer came in time.", "See that the other side answers, then redrive.", True),
    "unknown_outcome": ("It was sent, and no answer came.", "Find out whether it happened; then redrive.", True),
    "lost": ("Its worker died.", "Redrive. If it happens again, the step itself kills its worker.", True),
    "empty_result": (
        "Nothing came back where something was promised.",
        "See that there is something, then redrive.",
        True,
    ),
    "budget": ("It cost more than it may.", "Have the limit raised or the input made smaller, then redrive.", False),
    "policy": ("A policy forbids it.", "Change what is asked for. Redriving alone cannot help.", False),
    "determinism": ("Run again, it asked for something else.", "Mend the handler and publish a release.", False),
    "bug": (
        "The handler broke.",
        "Mend the handler and publish a release; patch the input if that is the cause.",
        False,
    ),
    "output_schema": ("What came back does not fit its schema.", "Mend the handler or the tool, then redrive.", False),
}
_OTHER = ("It failed in a way that has no record of its own.", "Read the message and the last evidence.", False)


@dataclass(frozen=True, slots=True)
class FailureRecord:
    """The component is a tool, an agent or a step; `redrive_helps` is false where something has to change first."""

    kind: str
    component: str
    owner: str
    failure_class: str
    meaning: str
    remedy: str
    redrive_helps: bool


def record_of(letter: DeadLetter) -> FailureRecord:
    """The letter has its step."""
    meaning, remedy, helps = _KNOWN.get(letter.failure_class, _OTHER)
    spec = letter.step.spec
    kind = (
        "agent" if letter.component == spec.get("agent") else "step" if letter.component == letter.step.key else "tool"
    )
    return FailureRecord(kind, letter.component, letter.owner, letter.failure_class, meaning, remedy, helps)
