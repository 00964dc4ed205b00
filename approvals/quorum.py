"""Are these signatures enough? Pure: seats and signers in, an assignment out.

A request has as many seats as people must sign. A seat belongs to one or more groups, or to any reviewer. One signature
takes one seat at most, and the quorum is met only if every seat can be taken at the same time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

NUMBERS = ("no one", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# Whose seat it is: anybody in one of these groups; empty means any reviewer.
Seat = frozenset[str]
Person = TypeVar("Person")


@dataclass(frozen=True, slots=True, order=True)
class Need:
    """So many people out of one or more groups."""

    groups: tuple[str, ...]
    count: int

    @classmethod
    def read(cls, stored: Iterable[Mapping[str, Any]]) -> tuple["Need", ...]:
        """From the JSON in a policy or a request."""
        return tuple(cls(tuple(sorted(row["groups"])), int(row["count"])) for row in stored)

    def __str__(self) -> str:
        return f"{self.count} from {' or '.join(self.groups)}"

    def to_json(self) -> dict[str, Any]:
        return {"groups": list(self.groups), "count": self.count}


def people_of(required: int, needs: Iterable[Need]) -> int:
    """How many people that is: a signature counts for one group at most."""
    return max(required, sum(need.count for need in needs))


def union(several: Iterable[Iterable[Need]]) -> tuple[Need, ...]:
    """Every need of every policy, the larger number where two ask the same groups."""
    most: dict[tuple[str, ...], int] = {}
    for needs in several:
        for need in needs:
            most[need.groups] = max(most.get(need.groups, 0), need.count)
    return tuple(Need(groups, count) for groups, count in sorted(most.items()))


def seats_of(required: int, needs: Iterable[Need]) -> list[Seat]:
    """One seat per signature: first those of groups, then those open to any reviewer."""
    named = [frozenset(need.groups) for need in needs for _ in range(need.count)]
    return named + [frozenset()] * (required - len(named))


def fits(groups: frozenset[str], seat: Seat) -> bool:
    return not seat or bool(groups & seat)


def assign(seats: Sequence[Seat], signers: Mapping[Person, frozenset[str]]) -> dict[int, Person]:
    """Seat number -> signer: as many seats taken as can be at once. Who signed first is seated first."""
    taken: dict[int, Person] = {}
    for person in signers:
        _seat(person, seats, signers, taken, set())
    return taken


def _seat(
    person: Person,
    seats: Sequence[Seat],
    signers: Mapping[Person, frozenset[str]],
    taken: dict[int, Person],
    tried: set[int],
) -> bool:
    """Seat somebody, asking others to move to another seat of theirs where that makes room."""
    for number, seat in enumerate(seats):
        if number in tried or not fits(signers[person], seat):
            continue
        tried.add(number)
        if number not in taken or _seat(taken[number], seats, signers, taken, tried):
            taken[number] = person
            return True
    return False


def open_seats(seats: Sequence[Seat], signers: Mapping[Person, frozenset[str]]) -> list[list[Seat]]:
    """For every seat not taken: the seats it could be exchanged for by somebody moving, itself first."""
    taken = assign(seats, signers)
    return [_exchangeable(number, seats, signers, taken) for number in range(len(seats)) if number not in taken]


def _exchangeable(
    start: int, seats: Sequence[Seat], signers: Mapping[Person, frozenset[str]], taken: Mapping[int, Person]
) -> list[Seat]:
    found = [start]
    for number in found:
        found += [
            other for other, person in taken.items() if other not in found and fits(signers[person], seats[number])
        ]
    return [seats[number] for number in found]


def would_help(seats: Sequence[Seat], signers: Mapping[Person, frozenset[str]], groups: frozenset[str]) -> bool:
    """Would one more signature, of somebody in these groups, be counted?"""
    return any(fits(groups, seat) for choices in open_seats(seats, signers) for seat in choices)


def open_to(seats: Sequence[Seat], signers: Mapping[Person, frozenset[str]]) -> frozenset[str] | None:
    """Groups of which one more signature would be counted; None when any reviewer's would."""
    choices = [seat for several in open_seats(seats, signers) for seat in several]
    return None if any(not seat for seat in choices) else frozenset().union(*choices)


def open_at_first(required: int, needs: Iterable[Need]) -> list[str] | None:
    """The same while nobody has signed, as a request keeps it: sorted names, or None."""
    groups = open_to(seats_of(required, tuple(needs)), {})
    return None if groups is None else sorted(groups)


def words(seats: Sequence[Seat], signers: Mapping[Person, frozenset[str]], titles: Mapping[str, str]) -> str:
    """Who is still needed: “one from Finance and two from Risk”; empty when the quorum is met."""
    wanted: dict[tuple[str, ...], int] = {}
    for choices in open_seats(seats, signers):
        names = () if any(not seat for seat in choices) else tuple(sorted(frozenset().union(*choices)))
        wanted[names] = wanted.get(names, 0) + 1
    parts = [_part(names, count, titles, more=bool(signers) or len(wanted) > 1) for names, count in wanted.items()]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _part(names: tuple[str, ...], count: int, titles: Mapping[str, str], *, more: bool) -> str:
    number = NUMBERS[count] if count < len(NUMBERS) else str(count)
    if names:
        return f"{number} from {' or '.join(titles.get(name, name) for name in names)}"
    return f"{number} {'more ' if more else ''}reviewer{'s' if count > 1 else ''}"
