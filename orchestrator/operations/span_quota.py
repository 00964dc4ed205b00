"""How much a unit may send: spans in a minute and in a day, and bytes in a day. Counted by the database's clock."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from audit.lifecycle import database_now
from audit.models import SpanUse
from audit.refusals import Refusal

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


class OverQuota(Refusal):
    """Too much for now. Nothing of the request was kept, and all of it may be sent again later."""

    code = "over_quota"
    status_code = 429

    def __init__(self, says: str, until: datetime, now: datetime) -> None:
        super().__init__(f"{says}. Nothing was kept.", remedy="Send it again after the time given.")
        self.retry_after = max((until - now).total_seconds(), 1.0)


def take(unit_id: UUID, *, spans: int, size: int) -> None:
    """Count this request, and hold the unit's row until the transaction ends: who brings spans of a unit comes in turn.

    What is sent counts, whatever becomes of it. Raises OverQuota, and then nothing is counted.
    """
    SpanUse.objects.bulk_create([SpanUse(unit_id=unit_id)], ignore_conflicts=True)
    use = SpanUse.objects.select_for_update().get(pk=unit_id)
    now = database_now()
    if use.minute_at <= now - MINUTE:
        use.minute_at, use.minute_spans = now, 0
    if use.day_at <= now - DAY:
        use.day_at, use.day_spans, use.day_bytes = now, 0, 0
    limits = [
        ("spans a minute", use.minute_spans, spans, settings.TRACE_SPANS_PER_MINUTE, use.minute_at + MINUTE),
        ("spans a day", use.day_spans, spans, settings.TRACE_SPANS_PER_DAY, use.day_at + DAY),
        ("bytes a day", use.day_bytes, size, settings.TRACE_BYTES_PER_DAY, use.day_at + DAY),
    ]
    for what, used, more, most, until in limits:
        if used + more > most:
            raise OverQuota(f"This business unit may send {most:,} {what}; {used:,} came already", until, now)
    use.minute_spans += spans
    use.day_spans += spans
    use.day_bytes += size
    use.save()
