"""Whose signatures count on a request, who is still needed, and whether one more person would help.

The one place that counts: decision, dispatch, emergency, claims and pages ask it. Everything is asked anew each time, because
role, duties, membership and linked accounts may change between signature and dispatch.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from approvals import quorum
from approvals.models import ApprovalRequest, BreakGlass, Decision, OnTimeout, Verdict
from approvals.quorum import Need, Seat
from approvals.rules import groups
from approvals.rules.groups import Groups
from approvals.rules.permissions import still_counts, voter
from approvals.rules.standing import Right, right_of, rights_of
from audit import people
from audit.actors import Actor
from audit.refusals import Forbidden

# Stands for somebody who has not signed yet; no account has this key.
_NEWCOMER = 0


class NotNeeded(Forbidden):
    """A signature that would fill no seat is not taken: it would look like one and open nothing."""

    code = "not_in_a_needed_group"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a request stands: its seats, and whose signatures still count (person -> their groups).

    `alone` are people who broke the glass over exactly this (approvals.operations.emergencies): the counting signature of one of
    them is enough.
    """

    seats: list[Seat]
    signers: dict[int, frozenset[str]]
    groups: Groups
    alone: frozenset[int] = frozenset()

    @property
    def complete(self) -> bool:
        return self.given == len(self.seats) or not self.alone.isdisjoint(self.signers)

    @property
    def given(self) -> int:
        return len(quorum.assign(self.seats, self.signers))

    @property
    def missing(self) -> str:
        return "" if self.complete else quorum.words(self.seats, self.signers, self.groups.titles)

    @property
    def open_to(self) -> list[str] | None:
        names = quorum.open_to(self.seats, self.signers)
        return None if names is None else sorted(names)

    def would_help(self, user_id: int | None) -> bool:
        return quorum.would_help(self.seats, self.signers, self.groups.of(user_id))

    def seat_for(self, user_id: int | None) -> list[str]:
        """Titles of the groups whose seat one more signature of theirs would take; none where any reviewer's would do."""
        theirs = self.groups.of(user_id)
        seated = quorum.assign(self.seats, {**self.signers, _NEWCOMER: theirs})
        taken = next((self.seats[number] for number, signer in seated.items() if signer == _NEWCOMER), frozenset())
        return sorted(self.groups.titles[name] for name in taken & theirs)

    def has_signed(self, by: Actor) -> bool:
        return min(people.accounts_behind(by), default=None) in self.signers

    def is_full_with(self, by: Actor) -> bool:
        """Would this person's signature fill the last seat, or does it already?"""
        person = min(people.accounts_behind(by))
        signers = {**self.signers, person: self.signers.get(person, frozenset()) | self.groups.of(by.user_id)}
        return len(quorum.assign(self.seats, signers)) == len(self.seats)


def named_in(request: ApprovalRequest) -> set[str]:
    """Every group whose signature this request asks for."""
    return {name for need in request.needs for name in need["groups"]}


def seats_of(request: ApprovalRequest) -> list[Seat]:
    return quorum.seats_of(request.required, Need.read(request.needs))


def standing(
    request: ApprovalRequest,
    *,
    voices: Iterable[Decision] | None = None,
    also_excluded: frozenset[str] = frozenset(),
) -> Standing:
    """Judged by who is who now. Two accounts of one person are one signer; `also_excluded` are keys of no signer.

    A page that has fetched every voice gives them, as `with_people` does.
    """
    same = (Verdict.APPROVE, request.revision, request.digest)
    said = with_people(request.decisions.all()) if voices is None else voices
    voices = [one for one in said if (one.verdict, one.revision, one.digest) == same]
    found = groups.in_force(named_in(request))
    counting = [
        (voice, pen) for voice in voices if still_counts(request, voice, pen := voter(voice.person_id), also_excluded)
    ]
    return Standing(seats_of(request), _by_person(counting, found), found, _alone(request))


def with_people(voices: QuerySet[Decision]) -> QuerySet[Decision]:
    """The first one first, with the people behind them."""
    return voices.select_related("person", "delegation__delegator", "confirmation").order_by("at", "id")


def _by_person(voices: Iterable[tuple[Decision, Actor]], found: Groups) -> dict[int, frozenset[str]]:
    """Whoever was signed for counts, with their groups, not who held the pen; and one pen writes one signature."""
    signers: dict[int, frozenset[str]] = {}
    written: dict[int, int] = {}
    for voice, pen in voices:
        writer = min(people.accounts_behind(pen))
        signer = min(people.accounts_of(voice.for_person_id)) if voice.for_person_id else writer
        if written.setdefault(writer, signer) == signer:
            groups_of_theirs = found.of(voice.for_person_id or voice.person_id)
            signers[signer] = signers.get(signer, frozenset()) | groups_of_theirs
    return signers


def _alone(request: ApprovalRequest) -> frozenset[int]:
    if request.required < 2:
        return frozenset()
    broken = [glass for glass in request.emergencies.all() if _is_over(glass, request)]
    return frozenset(min(people.accounts_of(glass.person_id)) for glass in broken)


def _is_over(glass: BreakGlass, request: ApprovalRequest) -> bool:
    return (glass.revision, glass.digest) == (request.revision, request.digest)


def right_to_sign(request: ApprovalRequest, by: Actor, stands: Standing) -> Right:
    """The right with which this signature fills a seat: one's own where that does, else one that was lent.

    Raises NotNeeded when none does.
    """
    enough = stands.complete or min(people.accounts_behind(by)) in stands.alone
    helping = (right for right in rights_of(request, by) if enough or stands.would_help(right.voter_id(by)))
    if (right := next(helping, None)) is None:
        if right_of(request, by) is None:
            raise Forbidden("The right to sign was taken back at this very moment. Nothing was recorded.")
        raise NotNeeded(
            f"Your signature would not count here: still needed is {stands.missing}, and you are in no such group.",
            remedy="You can still reject. Who is in a group is kept by the administrators, under Policies.",
        )
    return right


def refuse_unless_needed(request: ApprovalRequest, by: Actor) -> None:
    right_to_sign(request, by, standing(request))


def right_to_reject(request: ApprovalRequest, by: Actor) -> Right:
    """Rejecting is open to every reviewer, and fills no seat."""
    right = right_of(request, by)
    if right is None:
        raise Forbidden("The right to sign was taken back at this very moment. Nothing was recorded.")
    return right


def group_title(name: str) -> str:
    return groups.in_force([name]).titles.get(name, name)


def silence_of(request: ApprovalRequest) -> str:
    """What follows when nobody decides in time, in words that go before the moment."""
    if request.is_by_hand:
        return "The step ends as it would have without people, a dead letter where another try may help, at"
    if request.on_timeout == OnTimeout.REJECT:
        return "The act is refused at"
    if request.on_timeout == OnTimeout.ESCALATE:
        return f"It stays here, is marked overdue, and {group_title(request.escalate_to)} is asked next, after"
    return "It stays here, marked overdue after"
