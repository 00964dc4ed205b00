"""When to suggest a pause: after an hour of deciding without one, or many two-person acts. It locks nothing and tells nobody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet, Value
from django.db.models.functions import Now

from approvals.models import Decision
from audit import people
from audit.actors import Actor

# Deciding nothing for this long is a pause.
REST = timedelta(minutes=15)
LONG = timedelta(minutes=60)
MANY = 25
HEAVY = "financial"
LOOKED_BACK = timedelta(hours=8)
# Whoever has decided less often than this within LONG and REST is in no stretch to speak of.
FEWEST = 4
MOST = 500


@dataclass(frozen=True, slots=True)
class Stretch:
    """Decisions without a pause between them."""

    minutes: int
    heavy: int

    @property
    def words(self) -> str:
        return f"You have decided for {self.minutes} minutes without one, {self.heavy} times on an act that needs two people."


def lately(actor: Actor) -> QuerySet[Decision]:
    """What this person has decided in about the last hour, for counting beside other things."""
    accounts = people.accounts_behind(actor)
    return Decision.objects.filter(person_id__in=accounts, at__gt=Now() - Value(LONG + REST))


def due(actor: Actor, *, now: datetime) -> Stretch | None:
    """The stretch this person is in, if it is long enough to speak of. One query."""
    accounts = people.accounts_behind(actor)
    said = Decision.objects.filter(person_id__in=accounts, at__gt=now - LOOKED_BACK)
    return suggest(list(said.order_by("-at").values_list("at", "request__tier")[:MOST]), now=now)


def suggest(decided: Sequence[tuple[datetime, str]], *, now: datetime) -> Stretch | None:
    """Newest first: walk back until somebody rested. Pure."""
    later, begun, heavy = now, now, 0
    for at, tier in decided:
        if later - at >= REST:
            break
        later = begun = at
        heavy += tier == HEAVY
    if now - begun < LONG and heavy < MANY:
        return None
    return Stretch(minutes=int((now - begun).total_seconds() // 60), heavy=heavy)
