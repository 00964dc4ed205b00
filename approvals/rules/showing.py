"""What a reviewer is shown: whether it is the whole act, its digest, and what must have been read before signing.

What the page cannot show whole cannot be approved, by nobody and through no door. Rejecting stays possible.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from django.conf import settings

from approvals import snapshots
from approvals.models import ApprovalRequest
from approvals.snapshots import Reading, Value
from audit.canonical import digest_text
from audit.refusals import Invalid, Refusal
from audit.templatetags._visible import exact_pieces

# More than this nobody reads on a page; the act has to be cut smaller, or rejected.
MOST_VALUES = 1_000
LONGEST_VALUE = 20_000
MOST_CHARACTERS = 100_000
MOST_HIDDEN = 2_000
SHOWN_OF_A_LONG_VALUE = 400

SECTIONS = {
    "act": "What will happen",
    "change": "Change against the record",
    "evidence": "Evidence",
    "policy": "Policy",
}
# What turns a request into a page. Whoever changes it changes what reviewers are shown, and so every view's digest.
RENDERERS = (
    "templates/approvals/_act.html",
    "templates/approvals/_values.html",
    "templates/approvals/_rows.html",
    "templates/approvals/_consequences.html",
    "templates/approvals/_change.html",
    "templates/approvals/_reading.html",
    "templates/approvals/_evidence.html",
    "templates/approvals/_reasons.html",
    "templates/parts/_diff.html",
    "templates/parts/_evidence.html",
    "templates/parts/_json.html",
    "templates/parts/_agent_text.html",
    "templates/parts/_oid.html",
    "templates/_status.html",
    "audit/templatetags/_visible.py",
    "audit/templatetags/_render.py",
    "audit/templatetags/_format.py",
    "audit/templatetags/_diff.py",
    "approvals/snapshots.py",
    "approvals/queries/layout.py",
    "approvals/queries/evidence.py",
    "approvals/queries/consequences.py",
)
# By these names people know what matters most: first an amount, then who gets it.
CRITICAL = (
    re.compile(r"amount|total|(?<![a-z])sum(?!mar)|price|value(?!_?date)|betrag", re.IGNORECASE),
    re.compile(r"iban|account|recipient|beneficiary|payee|email|address|phone|(^|_)to$", re.IGNORECASE),
)
LONGEST_TO_TYPE = 60
_BLANK = re.compile(r"\s+")
_FORMATTING = re.compile(r"[\s'.,\-/()]+")


class NotShown(Refusal):
    """The page could not show the act whole, so nobody has read it whole."""

    code = "cannot_be_shown"


@dataclass(frozen=True, slots=True)
class Lock:
    """Why approving is locked, and what one can do instead."""

    why: str
    remedy: str


def lock_of(request: ApprovalRequest, reading: Reading) -> Lock | None:
    """The reason why this act cannot be shown whole, if there is one."""
    if digest_text(request.snapshot) != request.digest:
        return Lock("The stored bytes do not match their digest.", "Reject it and tell an administrator.")
    if reading.rebuilt != request.snapshot:
        return Lock("The rows of this page do not add up to the signed bytes.", "Reject it and tell an administrator.")
    too_much = _too_much(reading.scalars)
    return Lock(too_much, SMALLER) if too_much else None


SMALLER = "Reject it, or send it back and ask the agent to propose smaller acts, or to name a document by its digest."


def _too_much(values: list[Value]) -> str:
    if len(values) > MOST_VALUES:
        return f"The act has {len(values):,} values; more than {MOST_VALUES:,} cannot be read on a page."
    longest = max((max(len(value.text), len(value.label)) for value in values), default=0)
    if longest > LONGEST_VALUE:
        return f"A value has {longest:,} characters; more than {LONGEST_VALUE:,} cannot be read on a page."
    characters = sum(len(value.label) + len(value.text) for value in values)
    if characters > MOST_CHARACTERS:
        return f"The act has {characters:,} characters; more than {MOST_CHARACTERS:,} cannot be read on a page."
    hidden = sum(_hidden(value.label) + _hidden(value.text) for value in values)
    if hidden > MOST_HIDDEN:
        return (
            f"The act has {hidden:,} characters that have to be spelled out; more than {MOST_HIDDEN:,} hide the rest."
        )
    return ""


def _hidden(text: str) -> int:
    return sum(piece.spelled for piece in exact_pieces(text))


@dataclass(frozen=True, slots=True)
class Row:
    """A value as the page shows it. `cut` is how many characters are not on the page; then approving is locked."""

    value: Value
    text: str
    cut: int = 0


def rows_of(values: Iterable[Value], lock: Lock | None) -> list[Row]:
    """Every value whole; under a lock the beginning of each, for whoever decides to reject it."""
    if lock is None:
        return [Row(value, value.text) for value in values]
    return [
        Row(value, value.text[:SHOWN_OF_A_LONG_VALUE], max(0, len(value.text) - SHOWN_OF_A_LONG_VALUE))
        for value in list(values)[:100]
    ]


# --- What was on the page --------------------------------------------------------------------------------------


def view_digest(request: ApprovalRequest) -> str:
    """SHA-256 over everything the page says about the act, and over the code that says it."""
    said = {
        "rendering": _rendering(),
        "digest": request.digest,
        "revision": request.revision,
        "title": request.title,
        "effect": [request.effect, request.reversible],
        "needs": [request.required, request.needs, request.tier, request.policy_version, request.reasons],
        "asks": [request.checks, request.reason_codes, request.asks_step_up, request.result_schema],
        "evidence": [request.evidence, request.found],
        "agent_says": request.agent_says,
        "replaces": str(request.replaces or ""),
        "remarks": sorted(str(remark.pk) for remark in request.remarks.all()),
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@cache
def _rendering() -> str:
    whole = hashlib.sha256()
    for name in RENDERERS:
        whole.update((settings.BASE_DIR / name).read_bytes())
    return whole.hexdigest()


# --- What must have been read ----------------------------------------------------------------------------------


def refuse_unread(request: ApprovalRequest, viewed: Mapping[str, Any]) -> None:
    """An act that needs two people is signed only by somebody who has opened every part of it. Raises Invalid."""
    seen = viewed.get("sections")
    missing = [title for name, title in SECTIONS.items() if not isinstance(seen, list) or name not in seen]
    if request.required > 1 and missing:
        words = f"Still to view: {', '.join(missing)}."
        raise Invalid(words, errors=[("/viewed/sections", "incomplete", words)])


def refuse_hidden(request: ApprovalRequest) -> None:
    """Raises NotShown for an act that no page shows whole."""
    lock = lock_of(request, snapshots.read(request.snapshot))
    if lock is not None:
        raise NotShown(f"Approving is locked. {lock.why}", remedy=lock.remedy)


def critical_value(request: ApprovalRequest) -> Value | None:
    """The one value of a two-person act that each of them types in anew: the amount, else the recipient, else any."""
    if request.required < 2:
        return None
    typed = [
        value for value in snapshots.read(request.snapshot).arguments
        if value.kind in {"text", "number"} and 0 < len(value.text) <= LONGEST_TO_TYPE and _plain(value.text)
    ]  # fmt: skip
    for names in CRITICAL:
        found = next((value for value in typed if names.search(str(value.path[-1]))), None)
        if found is not None:
            return found
    return typed[0] if typed else None


def refuse_miscopied(request: ApprovalRequest, typed: str) -> None:
    """Raises Invalid unless what was typed is the critical value, however it is formatted."""
    value = critical_value(request)
    if value is not None and not same_value(typed, value.text):
        words = f"Type the value of “{spoken(value.label)}” as you read it."
        problem = (
            "It is not the value that would be signed." if typed.strip() else "Two people sign, each by typing it."
        )
        raise Invalid(
            f"{words} {problem}",
            errors=[("/critical", "differs" if typed.strip() else "required", f"{words} {problem}")],
        )


def spoken(text: str) -> str:
    """Untrusted text for a label or a message, which hold no markup."""
    return "".join(piece.text for piece in exact_pieces(text))


def same_value(typed: str, signed: str) -> bool:
    """`EUR 4,860.00` is `4860.00` and `4860`; `DE12 3456` is `de123456`. A digit too many is never the same."""
    one, two = _number(typed), _number(signed)
    if two is not None:
        return one is not None and one == two
    return bool(_plain(typed)) and _plain(typed) == _plain(signed)


def _plain(text: str) -> str:
    """Without what people group digits by; in an address every sign counts."""
    return (_BLANK if "@" in text else _FORMATTING).sub("", text).casefold()


def _number(text: str) -> Decimal | None:
    """The number, in whichever way people group digits: of two marks the last is the point, a repeated one groups."""
    bare = re.sub(r"^[A-Za-z]{3}\s+|\s+[A-Za-z]{3}$|[€$£]|[\s'\u00a0\u202f]", "", text.strip())
    # What begins with a nought is the number of something, an account perhaps: there every nought counts.
    if not re.fullmatch(r"[+-]?(?!0\d)[\d.,]+(?:[eE][+-]?\d+)?", bare, re.ASCII):
        return None
    marks = [mark for mark in bare if mark in ".,"]
    if len(set(marks)) == 2:
        group = "," if marks[-1] == "." else "."
        bare = bare.replace(group, "").replace(",", ".")
    elif marks and (len(marks) > 1 or re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", bare)):
        bare = bare.replace(marks[0], "")
    try:
        return Decimal(bare.replace(",", "."))
    except InvalidOperation:
        return None
