"""Who is on it: signatures, claims and assignments of the requests on a page, all of them in one statement."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection

from approvals.models import ApprovalRequest, Verdict
from audit import people
from audit.actors import Actor

# One shape for every kind of mark: whose it is, a word, when.
MARKS = """
SELECT said.request_id, 'voice', coalesce(said.for_person_id, said.person_id), said.person_name, said.verdict, said.at
FROM approvals_decision AS said JOIN approvals_approvalrequest AS asked
  ON asked.id = said.request_id AND asked.revision = said.revision
WHERE said.request_id = ANY(%(keys)s)
UNION ALL
SELECT said.request_id, 'pen', said.person_id, said.person_name, said.verdict, said.at
FROM approvals_decision AS said JOIN approvals_approvalrequest AS asked
  ON asked.id = said.request_id AND asked.revision = said.revision
WHERE said.request_id = ANY(%(keys)s) AND said.for_person_id IS NOT NULL
UNION ALL
SELECT request_id, 'claim', person_id, person_name, '', held_until
FROM approvals_claim WHERE request_id = ANY(%(keys)s) AND ended_at IS NULL AND held_until > now()
UNION ALL
SELECT request_id, 'assigned', coalesce(away.stand_in_id, asked.person_id),
  CASE WHEN away.id IS NULL THEN asked.person_name
       WHEN away.stand_in_id IS NULL THEN asked.person_name || ' (away)'
       ELSE away.stand_in_name || ' (for ' || asked.person_name || ', who is away)' END,
  assigned_by_name, assigned_at
FROM approvals_assignment AS asked LEFT JOIN LATERAL (
  SELECT * FROM approvals_absence WHERE person_id = asked.person_id
    AND revoked_at IS NULL AND away_from <= now() AND away_until > now()
    ORDER BY stand_in_id IS NULL, away_until DESC, id LIMIT 1
) AS away ON true
WHERE request_id = ANY(%(keys)s)
UNION ALL
SELECT request_id, 'escalated', person_id, asked_name, step, at
FROM approvals_escalation WHERE request_id = ANY(%(keys)s) AND kind = 'level'
ORDER BY 6
"""


class Mark(NamedTuple):
    """What people have to do with a request: a signature, a claim until `at`, an assignment by `word`, a level."""

    request_id: UUID
    kind: str
    person_id: int | None
    name: str
    word: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Attention:
    """One request, as `reader` (an account, one of a person's `accounts`) is told of it."""

    reader: int | None = None
    accounts: frozenset[int] = frozenset()
    marks: list[Mark] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[Mark]:
        return [mark for mark in self.marks if mark.kind == kind]

    @property
    def signers(self) -> list[int]:
        """Whose "yes" was given over what waits now, the first one first: of a lent right, the lender's."""
        return [mark.person_id for mark in self.of_kind("voice") if mark.word == Verdict.APPROVE and mark.person_id]

    @property
    def given(self) -> int:
        return len(self.signers)

    @property
    def signed(self) -> bool:
        """Has the reader signed what waits now, or was it signed for them?"""
        return any(mark.person_id in self.accounts for mark in [*self.of_kind("voice"), *self.of_kind("pen")])

    @property
    def mine(self) -> Mark | None:
        """The reader's own running claim."""
        return next((mark for mark in self.of_kind("claim") if mark.person_id == self.reader), None)

    @property
    def others(self) -> list[Mark]:
        return [mark for mark in self.of_kind("claim") if mark.person_id != self.reader]

    @property
    def assigned(self) -> Mark | None:
        return next(iter(self.of_kind("assigned")), None)

    @property
    def escalated(self) -> list[Mark]:
        """Levels that were reached, the last one last: who is asked now in addition to the reviewers."""
        return self.of_kind("escalated")

    @property
    def renew_every(self) -> int:
        """Seconds after which a page that is being read asks to hold the claim longer."""
        return int(settings.CLAIM_SECONDS) // 3

    @property
    def version(self) -> str:
        """Changes with what is shown of it."""
        return "-".join(
            f"{mark.kind[0]}{mark.person_id}.{mark.at:%d%H%M%S}"
            for mark in self.marks
            if mark.kind not in {"voice", "pen"}
        )


def attention_of(requests: Iterable[ApprovalRequest], actor: Actor) -> dict[UUID, Attention]:
    """For each request, what it has of it."""
    keys = [request.pk for request in requests]
    found: dict[UUID, list[Mark]] = defaultdict(list)
    if keys:
        with connection.cursor() as cursor:
            cursor.execute(MARKS, {"keys": keys})
            for row in cursor.fetchall():
                found[row[0]].append(Mark(*row))
    return {key: Attention(actor.user_id, people.accounts_behind(actor), found[key]) for key in keys}
