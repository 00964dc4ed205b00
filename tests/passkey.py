"""A passkey made of software: what a security key does, with a key pair of its own. It signs whatever challenge it is given.

Nothing of ours is by-passed: the site registers it and verifies its signatures as it does any device's.
"""

import hashlib
import json
import secrets
from base64 import urlsafe_b64encode
from urllib.parse import urlsplit

from allauth.mfa.webauthn.internal.auth import WebAuthn
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.contrib.auth import get_user_model
from fido2.cose import ES256
from fido2.webauthn import Aaguid, AttestationObject, AttestedCredentialData, AuthenticatorData

from approvals.authentication import factors, step_up
from approvals.authentication.factors import Binding, Given
from approvals.models import ApprovalRequest, Confirmation
from audit.actors import Actor

PRESENT = AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.UV

_held: dict[int, "Passkey"] = {}


class Passkey:
    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(32)

    def create(self, challenge: str) -> dict:
        """Answers navigator.credentials.create()."""
        public = ES256.from_cryptography_key(self.key.public_key())
        made = AttestedCredentialData.create(Aaguid.NONE, self.id, public)
        data = AuthenticatorData.create(_rp(), PRESENT | AuthenticatorData.FLAG.AT, 0, made)
        attested = AttestationObject.create("none", data, {})
        return self._answer(clientDataJSON=_client("create", challenge), attestationObject=bytes(attested))

    def get(self, challenge: str, origin: str = "") -> dict:
        """Answers navigator.credentials.get()."""
        data, client = bytes(AuthenticatorData.create(_rp(), PRESENT, 1)), _client("get", challenge, origin)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(clientDataJSON=client, authenticatorData=data, signature=signature)

    def _answer(self, **parts: bytes) -> dict:
        response = {name: b64(part) for name, part in parts.items()}
        return {"id": b64(self.id), "rawId": b64(self.id), "type": "public-key", "response": response}

    def sign(self, by: Actor, binding: Binding) -> Given:
        """What a browser sends: it asks the site what to sign, and has it signed."""
        options, note = factors.to_sign(by=by, binding=binding)
        return Given(assertion=self.get(options["challenge"]), challenge=note)


def of(by: Actor) -> Passkey:
    """This person's passkey; the first time it is asked for, it is registered with the site."""
    from allauth.mfa.models import Authenticator

    held = _held.get(by.user_id)
    known = [row.wrap() for row in Authenticator.objects.filter(user_id=by.user_id, type="webauthn")]
    if held and held.id in [row.authenticator_data.credential_data.credential_id for row in known]:
        return held
    held = _held[by.user_id] = Passkey()
    options, _ = factors.to_create(by=by)
    WebAuthn.add(get_user_model().objects.get(pk=by.user_id), "test key", held.create(options["challenge"]))
    return held


def confirmed(request: ApprovalRequest, by: Actor) -> Confirmation | None:
    """What this person confirms before they decide on what waits now; nothing where nothing is asked."""
    if not request.asks_step_up or not by.is_person:
        return None
    binding = Binding(request.pk, request.digest, request.revision)
    return step_up.confirm(
        request_id=request.pk, by=by, digest=request.digest, revision=request.revision, given=of(by).sign(by, binding)
    )


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _rp() -> bytes:
    return hashlib.sha256(urlsplit(settings.SITE_URL).hostname.encode()).digest()


def _client(kind: str, challenge: str, origin: str = "") -> bytes:
    """What the browser says of itself: where it stands."""
    told = {"type": f"webauthn.{kind}", "challenge": challenge, "origin": origin or settings.SITE_URL}
    return json.dumps(told).encode()
