"""Send what is due. Claimed by a lease, sent with no transaction open, recorded after: at least once, under one id.

A receiver that is down loses nothing: its deliveries wait, a little longer after every try, an hour at most.
"""

import hashlib
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from smtplib import SMTPException
from uuid import UUID

from django.core.mail import EmailMessage
from django.db.models import F
from django.db.models.functions import Now

from approvals.models.notice import ABOUT_WAITING, Delivery, Notice, NotificationChoice, Pace
from approvals.notifying import mail, webhooks
from approvals.notifying.known import Known
from approvals.notifying.message import body_of, subject_of, text_of
from approvals.notifying.spread import hears, is_still_theirs, spread
from approvals.statuses import RequestStatus
from audit import failpoints
from audit.lifecycle import database_now, run

logger = logging.getLogger(__name__)
BATCH = 50
FORGOTTEN_AT_ONCE = 500
# Far more than anybody reads in one mail.
MOST_TOLD = 500
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=15), timedelta(hours=1)
KEEP_DAYS = 30
# Not tried itself.
BEHIND = "waits for an earlier one"
# Either part of a round sends no longer than this, so that it ends before what it claimed is anybody's again.
SENDING_SECONDS = 60.0
# Longer than sending takes; whoever dies meanwhile is followed by the next after this time.
_CLAIM = """
UPDATE approvals_delivery SET tries = tries + 1, due_at = clock_timestamp() + interval '2 minutes'
WHERE id IN (SELECT id FROM approvals_delivery WHERE {whose} AND sent_at IS NULL AND dropped_at IS NULL
             AND due_at <= clock_timestamp() ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING id
"""
# People and receivers each have their own turn: what one has not taken for days, however much, is in no other's way.
# Whoever is in turn is told of all that is due for them, in one message.
_CLAIM_MAILS = _CLAIM.format(
    whose="""id IN (SELECT id FROM (
      SELECT id, row_number() OVER (PARTITION BY person_id ORDER BY due_at) AS turn FROM approvals_delivery
      WHERE person_id IN (SELECT person_id FROM (
        SELECT person_id FROM approvals_delivery
        WHERE person_id IS NOT NULL AND sent_at IS NULL AND dropped_at IS NULL AND due_at <= clock_timestamp()
        ORDER BY due_at LIMIT %s) AS in_turn)
      AND sent_at IS NULL AND dropped_at IS NULL AND due_at <= clock_timestamp()
    ) AS waiting WHERE turn <= %s)"""
)
_CLAIM_CALLS = _CLAIM.format(
    whose="""id IN (SELECT id FROM (
      SELECT id, row_number() OVER (PARTITION BY endpoint_id ORDER BY id) AS turn FROM approvals_delivery
      WHERE endpoint_id IS NOT NULL AND sent_at IS NULL AND dropped_at IS NULL AND due_at <= clock_timestamp()
    ) AS waiting ORDER BY turn, id LIMIT %s)"""
)
_FORGET = """
DELETE FROM approvals_notice WHERE id IN (SELECT n.id FROM approvals_notice AS n
  WHERE n.created_at < clock_timestamp() - make_interval(days => %s) AND n.spread_at IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM approvals_delivery AS d WHERE d.notice_id = n.id) LIMIT %s) RETURNING 1
"""
_FORGET_SENT = """
DELETE FROM approvals_delivery WHERE id IN (SELECT id FROM approvals_delivery
  WHERE COALESCE(sent_at, dropped_at) < clock_timestamp() - make_interval(days => %s) LIMIT %s) RETURNING 1
"""


def one_round() -> int:
    """Spread what happened, send what is due. Returns how much was done; 0 means: nothing to do for now."""
    # People first: a receiver that does not answer keeps none of them waiting.
    return spread() + _mail_people() + _call_receivers()


def _mail_people() -> int:
    ids = _claimed(_CLAIM_MAILS, [BATCH, MOST_TOLD, BATCH * MOST_TOLD])
    mails: dict[int, list[Delivery]] = defaultdict(list)
    for delivery in _due(ids):
        if delivery.person_id is not None:
            mails[delivery.person_id].append(delivery)
    letters = sorted(mails.values(), key=lambda deliveries: any(map(_was_not_taken, deliveries)))
    _mail_in_turn(letters, time.monotonic() + SENDING_SECONDS)
    return len(ids)


def _call_receivers() -> int:
    """Each gets its share of the time: one that takes everything slowly keeps no other waiting for ever."""
    ids = _claimed(_CLAIM_CALLS, [BATCH, BATCH])
    calls: dict[UUID, list[Delivery]] = defaultdict(list)
    for delivery in _due(ids):
        if delivery.endpoint_id is not None:
            calls[delivery.endpoint_id].append(delivery)
    ends = time.monotonic() + SENDING_SECONDS
    for left, deliveries in zip(range(len(calls), 0, -1), calls.values(), strict=True):
        now = time.monotonic()
        _call_in_turn(sorted(deliveries, key=_was_not_taken), min(ends, now + max(ends - now, 0) / left))
    return len(ids)


def _was_not_taken(delivery: Delivery) -> bool:
    """Such come last, the others as they happened: one that is never taken keeps those behind it waiting for one pause."""
    return delivery.last_error not in {"", BEHIND}


def _claimed(statement: str, most: list[int]) -> list[UUID]:
    ids = [row[0] for row in run(statement, most)]
    failpoints.hit("notify.claimed")
    return ids


def _due(ids: list[UUID]) -> list[Delivery]:
    rows = Delivery.objects.filter(pk__in=ids).select_related("notice", "notice__request", "person", "endpoint")
    return _without_pointless(rows.order_by("id"))


def forget() -> int:
    """What was delivered a month ago has told what it had to tell; the audit trail keeps what happened."""
    most = [KEEP_DAYS, FORGOTTEN_AT_ONCE]
    return len(run(_FORGET_SENT, most)) + len(run(_FORGET, most))


def _without_pointless(due: Iterable[Delivery]) -> list[Delivery]:
    """Whoever gets a digest is not told that something waits which somebody has decided since, nor of what was theirs once;
    and nothing at all, once they have said so.
    """
    deliveries = list(due)
    known = Known(delivery.notice for delivery in deliveries)
    people = {delivery.person_id for delivery in deliveries} - {None}
    off = set(NotificationChoice.objects.filter(pk__in=people, pace=Pace.OFF).values_list("pk", flat=True))
    kept: list[Delivery] = []
    pointless: list[Delivery] = []
    for delivery in deliveries:
        (pointless if delivery.person_id in off or _is_pointless(delivery, known) else kept).append(delivery)
    Delivery.objects.filter(pk__in=[one.pk for one in pointless]).update(dropped_at=Now())
    return kept


def _is_pointless(delivery: Delivery, known: Known) -> bool:
    if delivery.endpoint is not None:
        return not (delivery.endpoint.enabled and hears(delivery.endpoint, delivery.notice, known))
    notice, person = delivery.notice, delivery.person
    decided = notice.request is not None and notice.request.status != RequestStatus.PENDING
    if person is None or not (person.is_active and person.email) or (notice.kind in ABOUT_WAITING and decided):
        return True
    return not is_still_theirs(notice, person.pk, known)


def _mail_in_turn(letters: list[list[Delivery]], ends: float) -> None:
    """A message for each person. Once the mail server is silent, the others wait as well: it is one receiver like any other."""
    for number, deliveries in enumerate(letters):
        rest = [delivery for later in letters[number + 1 :] for delivery in later]
        if time.monotonic() > ends:
            _not_yet([*deliveries, *rest])
            return
        error = _tried(partial(_mail, deliveries), deliveries)
        if error is not None and mail.is_silent(error):
            _again(rest, BEHIND)
            return


def _call_in_turn(deliveries: list[Delivery], ends: float) -> None:
    """All that is due for one receiver. Once it does not take something, the rest waits as well."""
    for number, delivery in enumerate(deliveries):
        if time.monotonic() > ends:
            _not_yet(deliveries[number:])
            return
        if _tried(partial(_call, delivery), [delivery]) is not None:
            _again(deliveries[number + 1 :], BEHIND)
            return


def _tried(send: Callable[[], None], deliveries: list[Delivery]) -> Exception | None:
    """Send it, and remember what came of it; what went wrong, if anything did. It keeps no other from being sent."""
    try:
        send()
    except (webhooks.NotTaken, webhooks.Unsafe) as error:
        _again(deliveries, str(error))
        return error
    except (OSError, SMTPException) as error:
        _again(deliveries, type(error).__name__)
        return error
    except Exception as error:
        logger.exception("a notification could not be sent")
        _again(deliveries, type(error).__name__)
        return error
    _sent([delivery.pk for delivery in deliveries])
    return None


def _not_yet(deliveries: list[Delivery]) -> None:
    """As if they had not been claimed; what another host has claimed since is its own."""
    for delivery in deliveries:
        mine = Delivery.objects.filter(pk=delivery.pk, sent_at=None, tries=delivery.tries)
        mine.update(due_at=Now(), tries=F("tries") - 1)


def _mail(deliveries: list[Delivery]) -> None:
    """One message for everything that is due for one person."""
    notices: list[Notice] = [delivery.notice for delivery in deliveries]
    person = deliveries[0].person
    assert person is not None
    message = EmailMessage(
        subject=subject_of(notices),
        body=text_of(notices),
        to=[person.email],
        headers={"Message-ID": f"<{_id_of(deliveries)}@holdpoint>", "Auto-Submitted": "auto-generated"},
    )
    message.send()


def _id_of(deliveries: list[Delivery]) -> str:
    """The same for the same at every try. With more in it it is another message: mailboxes keep one of an id."""
    if len(deliveries) == 1:
        return str(deliveries[0].pk)
    return hashlib.sha256(b"".join(delivery.pk.bytes for delivery in deliveries)).hexdigest()[:32]


def _call(delivery: Delivery) -> None:
    endpoint, notice = delivery.endpoint, delivery.notice
    assert endpoint is not None
    failpoints.hit("notify.before_send")
    webhooks.call(
        endpoint.url,
        salt=endpoint.salt,
        message_id=str(notice.pk),
        timestamp=int(database_now().timestamp()),
        body=body_of(notice, slack=endpoint.slack),
    )


def _sent(ids: list[UUID]) -> None:
    failpoints.hit("notify.sent")
    Delivery.objects.filter(pk__in=ids).update(sent_at=Now(), last_error="")
    failpoints.hit("notify.recorded")


def _again(deliveries: list[Delivery], why: str) -> None:
    """15 s, 30 s, 1 min ... up to an hour, for as long as it takes."""
    if not deliveries:
        return
    for delivery in deliveries:
        pause = min(FIRST_PAUSE * 2 ** min(delivery.tries - 1, 12), LONGEST_PAUSE)
        Delivery.objects.filter(pk=delivery.pk).update(due_at=Now() + pause, last_error=why[:200])
    logger.warning("a notification was not taken (%s); trying again", why[:100])
