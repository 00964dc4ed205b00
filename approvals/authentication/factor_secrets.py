"""How the secrets of second factors lie in the database: encrypted with keys that the database does not hold.

What django-allauth asks of a site: where its secrets are kept, and under which name the site is known to a device.
"""

import base64
import hashlib
import json
from datetime import timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from audit.refusals import Refusal, Stale


class Unreadable(Refusal):
    """A secret is there, and none of the keys opens it: not the person's mistake, and nothing they could mend alone."""

    code = "factor_unreadable"

    def __init__(self) -> None:
        super().__init__(
            "Your second factor cannot be read here: the key that opens it is missing. Nothing was decided.",
            remedy="Whoever runs this site puts the key back into FACTOR_KEYS; or an administrator resets your factors.",
        )


class Adapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Encrypts, and binds passkeys to the site's own address, whatever a request says its host is."""

    def encrypt(self, text: str) -> str:
        return _keys(tuple(settings.FACTOR_KEYS)).encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Raises Unreadable."""
        try:
            return _keys(tuple(settings.FACTOR_KEYS)).decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            raise Unreadable from None

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {"id": urlsplit(settings.SITE_URL).hostname or "localhost", "name": "Holdpoint"}

    def get_public_key_credential_user_entity(self, user: Any) -> dict[str, Any]:
        named = {"name": user.get_username(), "display_name": user.get_full_name() or user.get_username()}
        return {"id": str(user.pk).encode(), **named}

    def get_totp_label(self, user: Any) -> str:
        return str(user.get_username())


def seal(owner: str, secret: str) -> str:
    """A secret that a form carries until it is proven: encrypted, with whose it is and when it was made."""
    return _keys(tuple(settings.FACTOR_KEYS)).encrypt(json.dumps([owner, secret]).encode()).decode()


def unseal(owner: str, sealed: str, good_for: timedelta) -> str:
    """Raises Stale for what is not ours, not theirs, or too old."""
    try:
        text = _keys(tuple(settings.FACTOR_KEYS)).decrypt(sealed.encode(), ttl=int(good_for.total_seconds()))
        whose, secret = json.loads(text)
    except (InvalidToken, ValueError, TypeError):
        whose, secret = "", ""
    if whose != owner or not secret:
        raise Stale("This page has lain too long. Open it again and scan the new picture.")
    return str(secret)


def encrypted_anew(text: str) -> str:
    """The same secret under the first key."""
    return _keys(tuple(settings.FACTOR_KEYS)).rotate(text.encode()).decode()


@lru_cache
def _keys(texts: tuple[str, ...]) -> MultiFernet:
    """A key of any text. Derived under a name of its own, so that what signs sessions does not open secrets."""
    raw = (hashlib.sha256(b"holdpoint second factors " + text.encode()).digest() for text in texts)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in raw])
