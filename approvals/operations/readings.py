"""The authoritative record behind a waiting act, read again for its reviewers. Asked and kept here; a worker reads.

Asking is a fact on the request (`reading_asked_at`), so it survives whoever was to answer it. A reading that finds the
record changed makes a new revision: signatures over the old one count for nothing, as after an edit.
"""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from approvals import snapshots
from approvals.models import ApprovalRequest, Found, RecordChange
from approvals.quorum import Need, open_at_first
from approvals.rules.locks import lock_request
from approvals.rules.permissions import refuse_unless_eligible
from approvals.signals import reading_asked
from approvals.snapshots import Reading
from audit import lifecycle
from audit.actors import Actor, system
from audit.refusals import Refusal, Stale

# Whatever anybody clicks: the other system is asked no more often than this about one request.
APART = timedelta(seconds=10)
REVIEW_PAGE = system("review page")


class NothingToRead(Refusal):
    """No authoritative record is behind this request."""

    code = "no_record"


class ReadLately(Refusal):
    """The other system is not asked about one request more often than every ten seconds."""

    code = "read_lately"


@transaction.atomic
def ask(*, request_id: UUID, by: Actor, by_itself: bool = False) -> ApprovalRequest:
    """Ask for the record to be read again. Asked already and not yet read: nothing more is asked.

    A page that somebody opens on an old record asks `by_itself`: the history names the page, and the entry who opened it.

    Raises Forbidden (who may not decide has no need of it), NothingToRead, ReadLately, Stale (decided, sent back,
    stopped), NotVisible.
    """
    request = lock_request(request_id, by)
    refuse_unless_eligible(request, by)
    if not request.is_pending:
        raise Stale(f"This request is {request.status}; the record is read again only while it waits for reviewers.")
    if request.is_frozen:
        raise Stale("A stop covers this request, so nothing goes out for it. The record is read when it is lifted.")
    if not can_be_read(request, snapshots.read(request.snapshot)):
        raise NothingToRead("No authoritative record is registered for this act, so there is nothing to read again.")
    if request.reading_asked_at is not None:
        return request
    if request.record_read_at is not None and lifecycle.database_now() - request.record_read_at < APART:
        raise ReadLately(
            "The record was read a moment ago.", remedy="What it said is on the page. Ask again in ten seconds."
        )
    asker = REVIEW_PAGE if by_itself else by
    request.reading_asked_at, request.reading_asked_by = lifecycle.database_now(), asker.name
    request.save(update_fields=["reading_asked_at", "reading_asked_by"])
    lifecycle.note(
        request, "approval_request.reading_asked", by=asker, data={"opened_by": by.key} if by_itself else None
    )
    reading_asked.send(ApprovalRequest, request=request)
    return request


def can_be_read(request: ApprovalRequest, shown: Reading) -> bool:
    """An act of one of our own steps whose tool has a record. A foreign agent's and a test item's is read by nobody."""
    return shown.has_record and request.execution_id is not None and not request.is_test and request.is_call


def is_stale(request: ApprovalRequest) -> bool:
    """Is what the page shows older than reviewers should decide on, with nobody asked yet? By the database's clock."""
    if not request.is_pending or request.is_frozen or request.reading_asked_at is not None:
        return False
    oldest = timedelta(seconds=settings.RECORD_READ_AGAIN_AFTER)
    return lifecycle.database_now() - (request.record_read_at or request.created_at) > oldest


def waiting(request_id: UUID) -> ApprovalRequest | None:
    """The request, locked, if it still waits for reviewers and for a reading; None when either is over."""
    rows = ApprovalRequest.objects.select_for_update().pending().filter(reading_asked_at__isnull=False)
    return rows.filter(pk=request_id).first()


def unchanged(request: ApprovalRequest, *, by: Actor) -> None:
    """The record says what it said. Inside the transaction that locked the request."""
    _keep(request, Found.UNCHANGED, "", by)


def failed(request: ApprovalRequest, *, why: str, by: Actor) -> None:
    """The record could not be read; nothing is concluded from that. Dispatch reads it again in any case."""
    _keep(request, Found.FAILED, why, by)


def changed(request: ApprovalRequest, *, snapshot: str, digest: str, revision: int, by: Actor) -> None:
    """Put the act beside the record as it stands now. Every seat is free again; the time to decide runs on."""
    RecordChange.objects.create(
        request=request,
        revision=revision,
        before=request.snapshot,
        before_digest=request.digest,
        after_digest=digest,
    )
    request.snapshot, request.digest, request.revision = snapshot, digest, revision
    request.open_to = open_at_first(request.required, Need.read(request.needs))
    request.save(update_fields=["snapshot", "digest", "revision", "open_to"])
    _keep(request, Found.CHANGED, "", by)


def _keep(request: ApprovalRequest, found: Found, why: str, by: Actor) -> None:
    asked_by = request.reading_asked_by
    ApprovalRequest.objects.filter(pk=request.pk).update(
        reading_asked_at=None, record_read_at=Now(), record_found=found, record_trouble=why[:500]
    )
    lifecycle.note(
        request,
        f"approval_request.record_{found}",
        by=by,
        data={"asked_by": asked_by, "digest": request.digest, "revision": request.revision},
    )
