"""When is somebody told? Pure: their choice, the kind of notice and the moment in, a moment (or never) out."""

from datetime import datetime, time, timedelta

from approvals.models.notice import URGENT, NotificationChoice, Pace
from audit.moments import zone_of

DAILY_AT = time(8)


def told_at(choice: NotificationChoice | None, kind: str, now: datetime) -> datetime | None:
    """None: not at all. What is urgent waits for neither a digest nor the end of the night."""
    if choice is None:
        return now
    if choice.pace == Pace.OFF:
        return None
    return now if kind in URGENT else after_quiet(choice, _next_round(choice, now))


def _next_round(choice: NotificationChoice, now: datetime) -> datetime:
    if choice.pace == Pace.HOURLY:
        return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    if choice.pace == Pace.DAILY:
        return _next_at(DAILY_AT, now.astimezone(zone_of(choice.time_zone)))
    return now


def after_quiet(choice: NotificationChoice, moment: datetime) -> datetime:
    """The moment itself, or the end of the quiet hours it falls into, in the person's own zone."""
    begin, end = choice.quiet_from, choice.quiet_to
    if begin is None or end is None or begin == end:
        return moment
    local = moment.astimezone(zone_of(choice.time_zone))
    clock = local.time()
    quiet = begin <= clock < end if begin < end else clock >= begin or clock < end
    return _next_at(end, local) if quiet else moment


def _next_at(clock: time, local: datetime) -> datetime:
    """The next time the person's clock shows this."""
    today = datetime.combine(local.date(), clock, tzinfo=local.tzinfo)
    return today if today > local else datetime.combine(local.date() + timedelta(days=1), clock, tzinfo=local.tzinfo)
