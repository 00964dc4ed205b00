"""By which right does somebody sign: their own role, or one that a reviewer lent them? And whom must they not stand in for?

A delegation adds one way to be a reviewer and takes away several ways to be independent: whoever stands in for the
asker, for the agent's owner or for somebody who signed already is no second pair of eyes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from approvals.models import ApprovalRequest, Decision, Delegation
from audit import actors, people, scope
from audit.actors import Actor
from audit.refusals import Forbidden
from budgets.units import below, lineage

_KEPT = "delegations"


class StandsIn(Forbidden):
    """Separation of duties reaches through delegations."""

    code = "stands_in"


@dataclass(frozen=True, slots=True)
class Right:
    """A right to sign: one's own, or lent by `delegation`."""

    delegation: Delegation | None = None

    @property
    def signs_for(self) -> str:
        return self.delegation.delegator_name if self.delegation else ""

    def voter_id(self, by: Actor) -> int | None:
        """Whose signature it is: the lender's, where the right was lent."""
        return self.delegation.delegator_id if self.delegation else by.user_id


def right_of(request: ApprovalRequest, by: Actor) -> Right | None:
    """One's own right comes first; a lent one counts only while its lender could sign this very request."""
    return next(rights_of(request, by), None)


def rights_of(request: ApprovalRequest, by: Actor) -> Iterator[Right]:
    """Every right this person could sign with, their own first; lent ones are looked up only where that is not enough."""
    if not by.is_person:
        return
    if request.unit_id in scope.unit_ids(by, "review"):
        yield Right()
    found = [lent for lent in _delegations(by) if lent.delegate_id == by.user_id]
    units = lineage(request.unit_id) if found else []
    yield from (Right(one) for one in found if one.unit_id in units and _could_sign(request, one))


def _could_sign(request: ApprovalRequest, lent: Delegation) -> bool:
    return lender_is_eligible(request, lent) and _voices(request).isdisjoint(people.accounts_of(lent.delegator_id))


def lender_is_eligible(request: ApprovalRequest, lent: Delegation, also_excluded: frozenset[str] = frozenset()) -> bool:
    """Has the lender the role of their own (a lent one is not lent on), an account, and nothing to do with the request?"""
    lender = actors.person(lent.delegator_id, lent.delegator_name)
    return (
        lent.delegator.is_active
        and request.unit_id in scope.unit_ids(lender, "review")
        and {request.requester, *request.excluded, *also_excluded}.isdisjoint(people.keys_of(lender))
    )


def refuse_stand_in(request: ApprovalRequest, by: Actor) -> None:
    """Refuse whoever stands in for the asker or the agent's owner, and the second of two who stand in for one another."""
    found = _delegations(by)
    units = lineage(request.unit_id) if found else []
    signed = _voices(request) if found else set()
    for lent in found:
        if lent.unit_id in units:
            _refuse_tied(request, by, lent, signed)


def _refuse_tied(request: ApprovalRequest, by: Actor, lent: Delegation, signed: set[int]) -> None:
    if lent.delegate_id in people.accounts_behind(by):
        lender = people.accounts_of(lent.delegator_id)
        if {f"user:{pk}" for pk in lender} & {request.requester, *request.excluded}:
            raise StandsIn(
                f"You stand in for {lent.delegator_name}, who asked for this or owns the agent: somebody else has to decide."
            )
        if lender & signed:
            raise StandsIn(f"You stand in for {lent.delegator_name}, who has signed already: somebody else has to.")
    elif people.accounts_of(lent.delegate_id) & signed:
        raise StandsIn(f"{lent.delegate_name} stands in for you and has signed already: somebody else has to.")


def _voices(request: ApprovalRequest) -> set[int]:
    """Everybody who has signed what waits now, and everybody who was signed for."""
    rows = Decision.objects.filter(request=request, revision=request.revision)
    lent = rows.filter(for_person__isnull=False)
    return {*rows.values_list("person_id", flat=True), *lent.values_list("for_person_id", flat=True)}


def review_units(actor: Actor) -> frozenset[UUID]:
    """Units whose requests this person may sign: by their own role, or by one lent to them where they may look."""
    own = scope.unit_ids(actor, "review")
    lent = _lent_to(actor)
    return own | (frozenset[UUID]().union(*(_lent_units(one) for one in lent)) & scope.unit_ids(actor, "view"))


def review_units_of_person(actor: Actor) -> frozenset[UUID]:
    """The same of everybody this person is: what one account must not read, another of theirs must not read either."""
    others = (actors.person(pk, "") for pk in people.accounts_behind(actor) if pk != actor.user_id)
    return review_units(actor).union(*map(review_units, others))


def _lent_units(lent: Delegation) -> frozenset[UUID]:
    return scope.unit_ids(actors.person(lent.delegator_id, lent.delegator_name), "review") & below(lent.unit_id)


def signs_for(actor: Actor) -> frozenset[int]:
    """Accounts whose seat this person could take: their own, and those of whoever has lent them a right that runs."""
    own = frozenset[int]() if actor.user_id is None else frozenset({actor.user_id})
    return own | {lent.delegator_id for lent in _lent_to(actor)}


def _lent_to(actor: Actor) -> list[Delegation]:
    return [one for one in _delegations(actor) if one.delegate_id == actor.user_id and one.delegator.is_active]


def _delegations(actor: Actor) -> list[Delegation]:
    """Those that run now, lent by this person or to them, under whichever account, the oldest first. Looked up once while
    a page is read.
    """
    if not actor.is_person:
        return []
    if actor.answers is not None and _KEPT in actor.answers:
        return _oldest_first(actor.answers[_KEPT])
    accounts = people.accounts_behind(actor)
    theirs = Q(delegate_id__in=accounts) | Q(delegator_id__in=accounts)
    rows = Delegation.objects.running().filter(theirs).select_related("delegator")
    found = frozenset(rows)
    if actor.answers is not None:
        actor.answers[_KEPT] = found
    return _oldest_first(found)


def _oldest_first(found: Iterable[Delegation]) -> list[Delegation]:
    return sorted(found, key=lambda lent: (lent.starts_at, lent.pk))
