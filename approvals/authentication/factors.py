"""The second factors somebody has, and whether a code or a passkey's assertion is good.

django-allauth knows how; this knows whose, and for what. Nothing is stored here: what was used is handed back, with the
name of the code or assertion that is used up by it.
"""

import hashlib
import secrets
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from allauth.mfa.utils import decrypt
from allauth.mfa.webauthn.internal import auth as webauthn
from django.contrib.auth import get_user_model
from django.contrib.postgres.expressions import ArraySubquery
from django.core import signing
from django.utils.crypto import constant_time_compare
from fido2.utils import websafe_encode

from approvals.models import FactorKind
from approvals.rules.permissions import person_id
from audit import lifecycle
from audit.actors import Actor
from audit.canonical import canonical
from audit.ids import new_id

FRESH_SECONDS = 5 * 60
_SALT = "approvals.factors"


@dataclass(frozen=True, slots=True)
class Given:
    """What a person gives to show that it is they: a code they type, or what their device signed of our challenge."""

    code: str = ""
    assertion: Mapping[str, Any] | None = None
    challenge: str = ""

    def __bool__(self) -> bool:
        return bool(self.code.strip() or self.assertion)


NOTHING = Given()


@dataclass(frozen=True, slots=True)
class Binding:
    """For what a factor is used: a decision on exactly these bytes, or (all empty) a change of one's own factors."""

    request_id: UUID | None = None
    digest: str = ""
    revision: int = 0


OWN_FACTORS = Binding()


@dataclass(frozen=True, slots=True)
class Used:
    """A factor was right. `once` names the code or assertion."""

    factor: Authenticator
    once: str


@dataclass(frozen=True, slots=True)
class Factors:
    """What somebody has, the oldest first."""

    rows: list[Authenticator] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[Authenticator]:
        return [row for row in self.rows if row.type == kind]

    @property
    def app(self) -> Authenticator | None:
        return next(iter(self.of_kind(FactorKind.TOTP)), None)

    @property
    def passkeys(self) -> list[Authenticator]:
        return self.of_kind(FactorKind.WEBAUTHN)

    @property
    def recovery(self) -> Authenticator | None:
        return next(iter(self.of_kind(FactorKind.RECOVERY_CODES)), None)

    @property
    def signing(self) -> list[Authenticator]:
        """Those a decision can be confirmed with."""
        return [row for row in self.rows if row.type != FactorKind.RECOVERY_CODES]


def of_person(by: Actor) -> Factors:
    rows = Authenticator.objects.filter(user_id=by.user_id).order_by("created_at", "pk") if by.is_person else []
    return Factors(list(rows))


def kinds_in_query(by: Actor) -> ArraySubquery:
    """For a page that asks for something else at the same time: the kinds of factors this person has."""
    return ArraySubquery(Authenticator.objects.filter(user_id=person_id(by)).values("type"))


def of_kinds(kinds: Iterable[str]) -> Factors:
    """What a page needs to know to ask for one: which kinds there are."""
    return Factors([Authenticator(type=kind) for kind in kinds])


def name_of(factor: Authenticator) -> str:
    """What its owner called it; there is only one app, and one set of codes."""
    return str(factor.data.get("name", ""))


# --- Is it good? -------------------------------------------------------------------------------------------------


def judge(given: Given, *, by: Actor, binding: Binding) -> Used | None:
    """The factor that was used, or None. Recovery codes count for changes of one's own factors only."""
    found = of_person(by)
    if given.assertion:
        return _passkey(given, found, by, binding)
    return _app(given.code, found.app) or (_recovery(given.code, found.recovery) if binding == OWN_FACTORS else None)


def counter_of(secret: str, code: str, now: datetime) -> int | None:
    """The half minute whose code this is, among those that are taken now."""
    here, around = int(now.timestamp()) // app_settings.TOTP_PERIOD, app_settings.TOTP_TOLERANCE
    typed = "".join(code.split())
    return next((one for one in range(here - around, here + around + 1) if _is_code(secret, one, typed)), None)


def code_at(secret: str, counter: int) -> str:
    return str(format_hotp_value(hotp_value(secret, counter)))


def _is_code(secret: str, counter: int, typed: str) -> bool:
    return constant_time_compare(code_at(secret, counter), typed)


def secret_of(app: Authenticator) -> str:
    return str(decrypt(app.data["secret"]))


def _app(code: str, app: Authenticator | None) -> Used | None:
    counter = counter_of(secret_of(app), code, lifecycle.database_now()) if app else None
    return Used(app, f"totp:{app.pk}:{counter}") if app and counter is not None else None


def _recovery(code: str, codes: Authenticator | None) -> Used | None:
    if codes is None or not RecoveryCodes(codes).validate_code("".join(code.split())):
        return None
    return Used(codes, f"recovery:{new_id()}")


# --- Passkeys ----------------------------------------------------------------------------------------------------
# The challenge is a digest over what it is for, so a device's signature is good for exactly that. The server keeps
# nothing: it signs the number it drew and the time, and computes the challenge again from what is being decided.


def to_sign(*, by: Actor, binding: Binding) -> tuple[dict[str, Any], str]:
    """What the browser asks the person's device to sign, and our own note of it that has to come back."""
    nonce, note = _drawn()
    user: Any = get_user_model().objects.get(pk=person_id(by))
    options, _ = webauthn.get_server().authenticate_begin(
        webauthn.get_credentials(user), _verification(), challenge=_challenge(nonce, by, binding)
    )
    return dict(options)["publicKey"], note


def to_create(*, by: Actor) -> tuple[dict[str, Any], str]:
    """The same for a new passkey."""
    nonce, note = _drawn()
    user: Any = get_user_model().objects.get(pk=person_id(by))
    options, _ = webauthn.get_server().register_begin(
        webauthn.build_user_payload(user), webauthn.get_credentials(user),
        user_verification=_verification(), challenge=_challenge(nonce, by, OWN_FACTORS),
    )  # fmt: skip
    return dict(options)["publicKey"], note


def is_created(credential: Mapping[str, Any], note: str, *, by: Actor) -> bool:
    """Did the device make this passkey for our challenge?"""
    try:
        state = _state(note, by, OWN_FACTORS)
        webauthn.get_server().register_complete(state, credential)
    except _NOT_GOOD:
        return False
    return True


def _passkey(given: Given, found: Factors, by: Actor, binding: Binding) -> Used | None:
    known = {row.pk: webauthn.WebAuthn(row).authenticator_data.credential_data for row in found.passkeys}
    try:
        state = _state(given.challenge, by, binding)
        used = webauthn.get_server().authenticate_complete(state, list(known.values()), given.assertion)
    except _NOT_GOOD:
        return None
    factor = next(row for row in found.passkeys if known[row.pk].credential_id == used.credential_id)
    return Used(factor, f"webauthn:{_read(given.challenge)}")


# What a library finds wrong in bytes that anybody may send: cut off, or nested without end.
_NOT_GOOD = (
    ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError, struct.error, signing.BadSignature,
)  # fmt: skip


def _drawn() -> tuple[str, str]:
    nonce = secrets.token_urlsafe(32)
    return nonce, signing.dumps([nonce, lifecycle.database_now().timestamp()], salt=_SALT)


def _read(note: str) -> str:
    """The number we drew. Raises BadSignature for a note that is not ours, or too old."""
    nonce, at = signing.loads(note, salt=_SALT)
    if lifecycle.database_now().timestamp() - at > FRESH_SECONDS:
        raise signing.SignatureExpired("too old")
    return str(nonce)


def _state(note: str, by: Actor, binding: Binding) -> dict[str, Any]:
    """What the library would have kept for us between asking and answering."""
    challenge = websafe_encode(_challenge(_read(note), by, binding))
    return {"challenge": challenge, "user_verification": _verification()}


def _challenge(nonce: str, by: Actor, binding: Binding) -> bytes:
    told = {
        "nonce": nonce, "person": by.key, "request": str(binding.request_id or ""), "digest": binding.digest,
        "revision": binding.revision,
    }  # fmt: skip
    return hashlib.sha256(canonical(told).encode()).digest()


def _verification() -> Any:
    return webauthn.UserVerificationRequirement(app_settings.WEBAUTHN_USER_VERIFICATION)
