"""Whose signatures count on a request, who is still needed, and whether one more person would help.

Everything is asked anew each time: role, duties, membership and linked accounts may change between signature and dispatch.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from approvals import groups, quorum
from approvals.groups import Groups
from approvals.models import ApprovalRequest, OnTimeout, Verdict
from approvals.permissions import keys_of, still_counts, voter
from approvals.quorum import Need, Seat
from audit import people
from audit.actors import Actor
from audit.refusals import Forbidden


class NotNeeded(Forbidden):
    """A signature that would fill no seat is not taken: it would look like one and open nothing."""

    code = "not_in_a_needed_group"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a request stands: its seats, and who has signed in a way that still counts (person -> their groups)."""

    seats: list[Seat]
    signers: dict[int, frozenset[str]]
    groups: Groups

    @property
    def complete(self) -> bool:
        return len(quorum.assign(self.seats, self.signers)) == len(self.seats)

    @property
    def given(self) -> int:
        return len(quorum.assign(self.seats, self.signers))

    @property
    def missing(self) -> str:
        return quorum.words(self.seats, self.signers, self.groups.titles)

    @property
    def open_to(self) -> list[str] | None:
        names = quorum.open_to(self.seats, self.signers)
        return None if names is None else sorted(names)

    def would_help(self, user_id: int | None) -> bool:
        return quorum.would_help(self.seats, self.signers, self.groups.of(user_id))


def named_in(request: ApprovalRequest) -> set[str]:
    """Every group whose signature this request asks for."""
    return {name for need in request.needs for name in need["groups"]}


def seats_of(request: ApprovalRequest) -> list[Seat]:
    return quorum.seats_of(request.required, Need.read(request.needs))


def standing(request: ApprovalRequest, *, also_excluded: frozenset[str] = frozenset()) -> Standing:
    """Judged by who is who now. Two accounts of one person are one signer; `also_excluded` are keys of no signer."""
    voices = request.decisions.filter(verdict=Verdict.APPROVE, revision=request.revision, digest=request.digest)
    people_by_time = [voice.person for voice in voices.select_related("person").order_by("at", "id")]
    voters = [(voter(person.pk), person.is_active) for person in people_by_time]
    counting = [
        by for by, is_active in voters if still_counts(request, by, is_active) and also_excluded.isdisjoint(keys_of(by))
    ]
    found = groups.in_force(named_in(request))
    return Standing(seats_of(request), _by_person(counting, found), found)


def _by_person(voters: Iterable[Actor], found: Groups) -> dict[int, frozenset[str]]:
    signers: dict[int, frozenset[str]] = {}
    for by in voters:
        person = min(people.accounts_behind(by))
        signers[person] = signers.get(person, frozenset()) | found.of(by.user_id)
    return signers


def refuse_unless_needed(request: ApprovalRequest, by: Actor, stands: Standing) -> None:
    """Only a signature that fills a seat is taken. Rejecting is open to every reviewer."""
    if stands.complete or stands.would_help(by.user_id):
        return
    raise NotNeeded(
        f"Your signature would not count here: still needed is {stands.missing}, and you are in no such group.",
        remedy="You can still reject. Who is in a group is kept by the administrators, under Policies.",
    )


def group_title(name: str) -> str:
    return groups.in_force([name]).titles.get(name, name)


def silence_of(request: ApprovalRequest) -> str:
    """What follows when nobody decides in time, in words that go before the moment."""
    if request.on_timeout == OnTimeout.REJECT:
        return "The act is refused at"
    if request.on_timeout == OnTimeout.ESCALATE:
        return f"It stays here, is marked overdue, and {group_title(request.escalate_to)} is asked next, after"
    return "It stays here, marked overdue after"
