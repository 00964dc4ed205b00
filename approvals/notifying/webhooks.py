"""Call another system: signed after the Standard Webhooks scheme, to public addresses only, never following a redirect.

The name is resolved once, every address it has is judged, and the connection goes to the judged address: a name that
answers differently a moment later reaches nothing.
"""

import base64
import hashlib
import hmac
import http.client
import ipaddress
import secrets
import socket
import ssl
import time
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from django.conf import settings

from audit import failpoints
from audit.wires import within

# Of a path and a query, RFC 3986 section 3.3; a letter of another alphabet is sent as its bytes.
_PLAIN = "/?%:@!$&'()*+,;=~-._"
TIMEOUT_SECONDS = 10
# The part of IPv6 that is given out to the public (RFC 4291, 2.4). Outside of it stand networks of one's own, and ways of writing
# an IPv4 address inside an IPv6 one, which would hide a private target; 6to4 is such a way inside of it.
PUBLIC_IPV6, SIX_TO_FOUR = ipaddress.ip_network("2000::/3"), ipaddress.ip_network("2002::/16")


class Unsafe(ValueError):
    """The address is not one that this site calls."""


class NotTaken(Exception):
    """The other side did not take it: it is tried again."""


@dataclass(frozen=True, slots=True)
class Place:
    """A judged target: the name for TLS and the Host header, the address for the connection."""

    secure: bool
    host: str
    port: int
    address: str
    path: str


def new_salt() -> str:
    return secrets.token_hex(32)


def secret_of(salt: str) -> str:
    """`whsec_...`, the same for as long as the salt and the site's key are: shown once, stored nowhere."""
    return f"whsec_{base64.b64encode(_key(salt)).decode()}"


def _key(salt: str) -> bytes:
    return hmac.new(settings.SECRET_KEY.encode(), f"webhook:{salt}".encode(), hashlib.sha256).digest()


def signature(salt: str, message_id: str, timestamp: int, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.new(_key(salt), signed, hashlib.sha256).digest()).decode()}"


def judge(url: str) -> Place:
    """Where a call to this address would go. Raises Unsafe."""
    parts = urlsplit(url)
    if parts.scheme not in ({"http", "https"} if settings.WEBHOOK_PRIVATE_TARGETS else {"https"}):
        raise Unsafe("Only https addresses are called.")
    if not parts.hostname or parts.username or parts.password:
        raise Unsafe("The address needs a host name, and no user name or password.")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError, UnicodeError):
        raise Unsafe(f"{parts.hostname} cannot be found.") from None
    addresses = [str(row[4][0]) for row in found]
    if not settings.WEBHOOK_PRIVATE_TARGETS and not all(map(_is_public, addresses)):
        raise Unsafe(f"{parts.hostname} is inside a private network. This site calls public addresses only.")
    path = quote(parts.path or "/", safe=_PLAIN) + (f"?{quote(parts.query, safe=_PLAIN)}" if parts.query else "")
    return Place(parts.scheme == "https", parts.hostname, port, addresses[0], path)


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if isinstance(address, ipaddress.IPv6Address) and (address not in PUBLIC_IPV6 or address in SIX_TO_FOUR):
        return False
    return address.is_global and not address.is_multicast


def call(url: str, *, salt: str, message_id: str, timestamp: int, body: bytes) -> None:
    """One try. Raises NotTaken with a reason that holds nothing of the message, or Unsafe."""
    place = judge(url)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Holdpoint",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(salt, message_id, timestamp, body),
    }
    try:
        status = _status_of(place, body, headers)
    except (OSError, http.client.HTTPException) as error:
        raise NotTaken(type(error).__name__) from None
    if not 200 <= status < 300:
        raise NotTaken(f"HTTP {status}")


def _status_of(place: Place, body: bytes, headers: dict[str, str]) -> int:
    """To the judged address, under the name that was asked for. TLS, sending and the answer share one time-out."""
    connection = http.client.HTTPConnection(place.host, place.port, timeout=TIMEOUT_SECONDS)
    ends = time.monotonic() + TIMEOUT_SECONDS
    raw = socket.create_connection((place.address, place.port), timeout=TIMEOUT_SECONDS)
    with closing(raw), closing(connection), within(max(0.0, ends - time.monotonic()), raw):
        secured = ssl.create_default_context().wrap_socket(raw, server_hostname=place.host) if place.secure else raw
        connection.sock = secured
        connection.request("POST", place.path, body, headers)
        failpoints.hit("notify.under_way")
        return connection.getresponse().status
