"""What a reader of the trail may not learn yet. Whoever keeps something secret for a while registers it here.

An entry under seal is not shown, and not counted; its hash stays in the chain, and it is told once the seal is broken.
"""

from collections.abc import Callable

from django.db.models import Q

from audit.actors import Actor

_Sealed = Callable[[Actor], Q]
_registered: list[_Sealed] = []


def answer_with(sealed: _Sealed) -> None:
    """Register what is under seal: (reader) -> condition on events."""
    if sealed not in _registered:
        _registered.append(sealed)


def unsealed(reader: Actor) -> Q:
    """The condition an event has to meet to be told to this reader."""
    return ~Q(*(sealed(reader) for sealed in _registered), _connector=Q.OR) if _registered else Q()
