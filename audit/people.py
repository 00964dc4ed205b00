"""Which accounts are one person? The floor asks; whoever knows people registers the answer (approvals does, at start-up)."""

from collections.abc import Callable

from audit.actors import Actor

_Accounts = Callable[[int], frozenset[int]]
_registered: list[_Accounts] = []
_KEPT = "accounts"


def answer_with(accounts: _Accounts) -> None:
    """Register who knows: (user id) -> ids of all accounts of that person, this one included."""
    _registered[:] = [accounts]


def accounts_of(user_id: int) -> frozenset[int]:
    """All accounts of the person behind this one, itself included."""
    return (_registered[0](user_id) if _registered else frozenset()) | {user_id}


def accounts_behind(actor: Actor) -> frozenset[int]:
    """The same for whoever asks; nobody's for an agent or the system. Looked up once while a page is read."""
    if actor.user_id is None:
        return frozenset()
    if actor.answers is None:
        return accounts_of(actor.user_id)
    if _KEPT not in actor.answers:
        actor.answers[_KEPT] = accounts_of(actor.user_id)
    return actor.answers[_KEPT]


def keys_of(actor: Actor) -> list[str]:
    """The keys of all accounts of this person, their own first."""
    return [actor.key, *(f"user:{pk}" for pk in sorted(accounts_behind(actor)) if pk != actor.user_id)]
