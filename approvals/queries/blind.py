"""What a second reviewer may not know yet: who signed before them, and why."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from approvals.models import ApprovalRequest, Decision, EvaluationCase
from approvals.operations.second_looks import waiting_for
from approvals.rules.standing import review_units_of_person
from audit import people
from audit.actors import Actor
from audit.queries import Story, story


def own_voices(reader: Actor) -> QuerySet[Decision]:
    """For a subquery on requests: what this person has said, under any account, or somebody for them, as the request stands."""
    own = people.accounts_behind(reader)
    theirs = Q(person_id__in=own) | Q(for_person_id__in=own)
    return Decision.objects.filter(theirs, request_id=OuterRef("pk"), revision=OuterRef("revision"))


def signed_by(actor: Actor, requests: Iterable[ApprovalRequest], voices: Iterable[Decision]) -> set[UUID]:
    """The requests that this person has signed as they stand; a voice over an earlier revision opens nothing."""
    revisions = {row.pk: row.revision for row in requests}
    own = people.accounts_behind(actor)
    return {
        one.request_id for one in voices
        if {one.person_id, one.for_person_id} & own and one.revision == revisions.get(one.request_id)
    }  # fmt: skip


def sealed(reader: Actor) -> Q:
    """Entries of the trail that would tell a second reviewer what the first one said: shown once they have signed, too.

    An auditor who may not sign reads everything; a token might belong to anybody, so it reads them when all is over.
    """
    undecided = ApprovalRequest.objects.undecided().filter(required__gt=1)
    if reader.is_person:
        undecided = undecided.filter(unit_id__in=review_units_of_person(reader)).exclude(Exists(own_voices(reader)))
    first = Q(event__startswith="approval_request.signed_", object_id__in=undecided.values("pk"))
    # How a request was decided that this person shall judge anew; that it was asked for is no secret.
    unseen = waiting_for(reader)
    asked = ["approval_request.pending", "action.proposed", "action.held"]
    kept = EvaluationCase.objects.filter(request_id__in=unseen.values("request_id"))
    told = Q(object_id__in=unseen.values("request_id")) | Q(object_id__in=unseen.values("request__subject_id"))
    told |= Q(object_id__in=kept.values("pk"))
    return first | (told & ~Q(event__in=asked) & ~Q(event__startswith="second_look."))


def history(
    requests: Iterable[ApprovalRequest],
    *,
    mine: set[UUID],
    streams: Iterable[str] = (),
    names: Mapping[UUID, str] | None = None,
    objects: Iterable[UUID] | None = None,
) -> Story:
    """What happened to these requests, and in `streams` to `objects` (None: to everything in them).

    The second reviewer judges alone: while a request is open, who signed it is told only to whoever signed it too.
    """
    requests = list(requests)
    known = {row.pk: row.title for row in requests}
    wanted = None if objects is None else {*objects, *known}
    told = story([*streams, *(row.stream for row in requests)], names=names or known, objects=wanted)
    secret = {row.pk for row in requests if row.is_open and row.pk not in mine}
    shown = [one for one in told.entries if not (one.event.object_id in secret and ".signed_" in one.event.event)]
    return Story(shown, told.truncated)
