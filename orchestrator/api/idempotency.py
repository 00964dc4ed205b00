"""`Idempotency-Key`: the same key and body give the same answer, however often and from however many threads.

The answer is stored in the transaction of the act itself, so there is never an act without its answer or the other
way round. A refusal is not stored: nothing happened, and asking again is asking again.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.http import HttpResponse
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from audit.canonical import digest
from audit.refusals import Invalid, Refusal
from orchestrator.api.base import actor_of
from orchestrator.models import StoredReply

KEPT = "30 days"
REPLAYED = "Idempotency-Replayed"
VISIBLE_ASCII = re.compile(r"[\x21-\x7e]{1,255}")


class StillRunning(Refusal):
    """The first request with this key has not ended yet."""

    code = "still_running"


class KeyReused(Refusal):
    """The key belongs to another request."""

    status_code = 422
    code = "idempotency_key_reused"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command answers when it succeeds."""

    status: int
    body: Any


def once(request: Request, act: Callable[[], Answer]) -> HttpResponse:
    """Run `act` and answer; under a key, at most once. Raises what `act` refuses, StillRunning, KeyReused."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not VISIBLE_ASCII.fullmatch(key):
        raise Invalid("The Idempotency-Key must be 1 to 255 visible ASCII characters.")
    found = _whole(act) if key is None else _once(_caller(request), key, _digest(request), act)
    if isinstance(found, Refusal):
        raise found
    return found


def _whole(act: Callable[[], Answer]) -> HttpResponse | Refusal:
    """Without a key, too, there is no act without its answer; a refusal is handed out as in `_once`."""
    with transaction.atomic():
        try:
            return _response(_stored(act()))
        except Refusal as refusal:
            return refusal


def _once(caller: str, key: str, wanted: str, act: Callable[[], Answer]) -> HttpResponse | Refusal:
    with transaction.atomic():
        _refuse_company(caller, key)
        stored = StoredReply.objects.filter(caller=caller, key=key).first()
        if stored is not None:
            if stored.request_digest != wanted:
                raise KeyReused("This Idempotency-Key was used for another request.", remedy="Use a new key.")
            return _response(stored, replayed=True)
        try:
            reply = _stored(act())
        except Refusal as refusal:
            # Handed out rather than raised: a verb rolls its own work back, and what it wrote down about the
            # refusal (an approval voided because the tool changed, say) has to stay.
            return refusal
        reply.caller, reply.key, reply.request_digest = caller, key, wanted
        reply.save(force_insert=True)
        _forget_old()
        return _response(reply)


def _caller(request: Request) -> str:
    actor = actor_of(request)
    # An agent may hold a token in each of two units; their keys must never meet.
    return " ".join([actor.key, *sorted(map(str, actor.unit_ids))])


def _digest(request: Request) -> str:
    return digest([request.method, request.path, request.data])


def _refuse_company(caller: str, key: str) -> None:
    """One request per key at a time, ended by the transaction itself: a crash leaves nothing locked."""
    number = int.from_bytes(hashlib.sha256(f"{caller}\n{key}".encode()).digest()[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        if not cursor.fetchone()[0]:
            raise StillRunning("A request with this Idempotency-Key is still running.", remedy="Ask again shortly.")


def _forget_old() -> None:
    """Every stored answer takes two that are past their time away, so that nobody has to sweep."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM orchestrator_storedreply WHERE id IN (SELECT id FROM orchestrator_storedreply "
            "WHERE created_at < now() - %s::interval ORDER BY created_at LIMIT 2 FOR UPDATE SKIP LOCKED)",
            [KEPT],
        )


def _stored(answer: Answer) -> StoredReply:
    return StoredReply(status_code=answer.status, body=JSONRenderer().render(answer.body).decode())


def _response(reply: StoredReply, *, replayed: bool = False) -> HttpResponse:
    headers = {REPLAYED: "true"} if replayed else {}
    return HttpResponse(reply.body, status=reply.status_code, content_type="application/json", headers=headers)
