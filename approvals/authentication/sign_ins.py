"""How often may somebody be wrong who is not signed in yet? Counted on the database, as guesses (`guessing`).

A try counts for the name from its address, for the address, and for the name. The first locks like any other guessing;
the other two bear so many an hour, against one who tries a list of names, and against many who try one name. So that nobody
locks people out by their name, nor everybody behind one address, a device they signed in with before counts for itself alone.

Names that nobody has count like others, and while something is locked everybody hears the same, so that no answer says
who works here.
"""

import ipaddress
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from unicodedata import normalize

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

from approvals.authentication.guessing import pause_after
from approvals.models import SignInTries
from audit import actors, events, lifecycle
from audit.refusals import Refusal

HOUR = timedelta(hours=1)
MOST_AN_HOUR = {"address": 100, "name": 50}
# Longer than the longest lock.
KEPT_FOR = timedelta(days=2)
FORGOTTEN_AT_ONCE = 1_000
# Bits of an IPv6 address that say whose it is: the rest one may choose anew for every request.
IPV6_PREFIX = 64
# Some proxies add the port, which is another one for every request.
_WITH_PORT = re.compile(r"(?P<v4>[\d.]+):\d+|\[(?P<v6>[^]]+)\](:\d+)?")
DEVICE_COOKIE = "device"
DEVICE_KNOWN_FOR = timedelta(days=180)


class TooManyTries(Refusal):
    """Locked for a while: no password is even looked at."""

    code = "too_many_tries"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who wants to sign in, as far as one can tell before they have: the name as typed, the address, a device of theirs."""

    name: str
    address: str
    device: str = ""

    @property
    def keys(self) -> dict[str, str]:
        """What is counted, by the word for it."""
        anywhere = (("name and address", f"{self.address} {self.name}"), ("address", self.address), ("name", self.name))
        counted = (("device", self.device),) if self.device else anywhere
        return {kind: salted_hmac(f"sign-in {kind}", what, algorithm="sha256").hexdigest() for kind, what in counted}


def origin_of(request: HttpRequest, name: str) -> Origin:
    known = _same(name)
    return Origin(known, _network(_address(request)), _device(request, known))


def _same(name: str) -> str:
    """What people take for the same name counts as one."""
    return normalize("NFKC", name).strip().casefold()


def _address(request: HttpRequest) -> str:
    """Where the request came from: of what proxies say, only what ours has seen itself."""
    direct = str(request.META.get("REMOTE_ADDR", ""))
    passed = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
    if not settings.BEHIND_PROXY or len(passed) < settings.PROXY_COUNT:
        return direct
    return passed[-settings.PROXY_COUNT] or direct


def _network(address: str) -> str:
    """Of IPv6 the part that belongs to one customer. What is no address counts as it stands."""
    port = _WITH_PORT.fullmatch(address)
    try:
        found = ipaddress.ip_address((port["v4"] or port["v6"]) if port else address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((int(found), IPV6_PREFIX), strict=False))
    return str(found)


# --- A device that its owner signed in with ------------------------------------------------------------------------


def remember_device(request: HttpRequest, response: HttpResponse, name: str) -> None:
    """A number of its own for this device, after a right password. It opens nothing; the cookie does not say whose it is."""
    response.set_signed_cookie(
        DEVICE_COOKIE, secrets.token_urlsafe(16), salt=_salt(_same(name)),
        max_age=int(DEVICE_KNOWN_FOR.total_seconds()),
        secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax",
    )  # fmt: skip


def _device(request: HttpRequest, name: str) -> str:
    found = request.get_signed_cookie(DEVICE_COOKIE, "", salt=_salt(name), max_age=DEVICE_KNOWN_FOR)
    return found or ""


def _salt(name: str) -> str:
    """A device is known for the one name that signed in with it."""
    return f"device of {name}"


# --- A try ---------------------------------------------------------------------------------------------------------


@transaction.atomic(durable=True)
def judge(origin: Origin, prove: Callable[[], Any]) -> Any:
    """What `prove` finds, None for a wrong password, which is counted. Nobody tries twice at the same instant.

    Raises TooManyTries.
    """
    tries = _take_turn(origin)
    now = lifecycle.database_now()
    if any(row.locked_until and now < row.locked_until for row in tries.values()):
        raise TooManyTries("Too many wrong tries. Nothing was looked at. Try again later.")
    user = prove()
    if user is None:
        for kind, row in tries.items():
            _wrong(row, kind, origin)
    else:
        _right(tries)
    return user


def _take_turn(origin: Origin) -> dict[str, SignInTries]:
    """The rows that count this try, locked until the transaction ends: in the order of their keys, so that nobody waits
    for somebody who waits for them."""
    keys = origin.keys
    begun = [SignInTries(key=key, seen_at=Now()) for key in sorted(keys.values())]
    SignInTries.objects.bulk_create(begun, update_conflicts=True, unique_fields=["key"], update_fields=["seen_at"])
    rows = SignInTries.objects.in_bulk(list(keys.values()))
    return {kind: rows[key] for kind, key in keys.items()}


def _wrong(row: SignInTries, kind: str, origin: Origin) -> None:
    """Count a wrong one, and lock where it was one too many."""
    now = lifecycle.database_now()
    if kind in MOST_AN_HOUR and row.since + HOUR <= now:
        row.wrong, row.since = 0, now
    row.wrong += 1
    row.locked_until = _locked_until(row, kind, now)
    row.save(update_fields=["wrong", "since", "locked_until"])
    if row.locked_until:
        told = {"counted": kind, "wrong": row.wrong, "until": row.locked_until.isoformat()}
        events.record("person.sign_in_locked", by=actors.ANYONE, why=f"name {origin.name[:3]}...", data=told)


def _locked_until(row: SignInTries, kind: str, now: datetime) -> datetime | None:
    if kind in MOST_AN_HOUR:
        return row.since + HOUR if row.wrong >= MOST_AN_HOUR[kind] else None
    pause = pause_after(row.wrong)
    return now + pause if pause else None


def _right(tries: dict[str, SignInTries]) -> None:
    """Who was right may mistype again. What is counted by the hour is not set back: other people's tries are in it."""
    for kind, row in tries.items():
        if row.wrong and kind not in MOST_AN_HOUR:
            row.wrong, row.locked_until = 0, None
            row.save(update_fields=["wrong", "locked_until"])


# --- Who is signed in ----------------------------------------------------------------------------------------------


def end_of(user: Any) -> None:
    """Every sign-in of a disabled account. Left where it is, it would go on as soon as the account is enabled again."""
    running = Session.objects.filter(expire_date__gt=Now())
    theirs = [one.pk for one in running.iterator() if one.get_decoded().get(SESSION_KEY) == str(user.pk)]
    Session.objects.filter(pk__in=theirs).delete()


# --- What is kept --------------------------------------------------------------------------------------------------


@transaction.atomic
def forget_old() -> int:
    """Take away what nobody has tried for two days; how many rows. One that somebody is at stays."""
    old = SignInTries.objects.filter(seen_at__lt=Now() - KEPT_FOR).select_for_update(skip_locked=True)
    gone = list(old.values_list("key", flat=True)[:FORGOTTEN_AT_ONCE])
    return SignInTries.objects.filter(key__in=gone).delete()[0]
