"""What is asked about people while a batch of notices is spread. Each question goes to the database once."""

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from uuid import UUID

from approvals.models import ApprovalRequest, Decision, Delegation
from approvals.models.notice import Notice, WebhookEndpoint
from approvals.rules.administrators import administrators
from audit import people
from audit.scope import Permission
from budgets.permissions import people_with
from budgets.units import lineages


class Known:
    """The answers for one batch, thrown away with it: nobody is told by a role that they have lost since."""

    def __init__(self, notices: Iterable[Notice]) -> None:
        rows = list(notices)
        self._units = {notice.unit_id for notice in rows if notice.unit_id}
        self._requests = {notice.request.pk for notice in rows if notice.request}
        self._holders: dict[tuple[Permission, UUID | None], set[int]] = {}
        self._accounts: dict[int, frozenset[int]] = {}

    def people_with(self, permission: Permission, unit_id: UUID | None) -> set[int]:
        if (permission, unit_id) not in self._holders:
            self._holders[permission, unit_id] = people_with(permission, unit_id)
        return self._holders[permission, unit_id]

    def responsible(self, unit_id: UUID | None) -> set[int]:
        """Administrators who may look into the unit; where there are none, its auditors."""
        return self.administrators & self.people_with("view", unit_id) or self.people_with("audit", unit_id)

    def accounts_of(self, user_id: int) -> frozenset[int]:
        if user_id not in self._accounts:
            self._accounts[user_id] = people.accounts_of(user_id)
        return self._accounts[user_id]

    def lineage(self, unit_id: UUID) -> list[UUID]:
        return self._lineages[unit_id]

    def signers_of(self, request: ApprovalRequest) -> set[int]:
        """Everybody who has signed what waits now, and everybody it was signed for."""
        return self._voices[request.pk, request.revision]

    @cached_property
    def administrators(self) -> set[int]:
        return set(administrators())

    @cached_property
    def delegates(self) -> list[tuple[int, str]]:
        """Everybody who has a right on loan now."""
        return list(Delegation.objects.running().values_list("delegate_id", "delegate_name").distinct())

    @cached_property
    def endpoints(self) -> list[WebhookEndpoint]:
        return list(WebhookEndpoint.objects.filter(enabled=True))

    @cached_property
    def _lineages(self) -> dict[UUID, list[UUID]]:
        return lineages(self._units)

    @cached_property
    def _voices(self) -> dict[tuple[UUID, int], set[int]]:
        found: dict[tuple[UUID, int], set[int]] = defaultdict(set)
        rows = Decision.objects.filter(request__in=self._requests)
        for request_id, revision, signer, behind in rows.values_list(
            "request_id", "revision", "person_id", "for_person_id"
        ):
            found[request_id, revision] |= {pk for pk in (signer, behind) if pk}
        return found
