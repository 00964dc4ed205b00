"""A policy: for this tool, when this condition holds, that many people must sign. Drafted, activated, never edited."""

from typing import Any, ClassVar
from uuid import UUID

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q

from approvals.statuses import POLICY
from audit.definitions import Definition, DefinitionQuerySet
from audit.lifecycle import Lifecycle


class PolicyVerdict(models.TextChoices):
    HOLD = "hold", "ask as many people as stated"
    DENY = "deny", "deny"


class OnTimeout(models.TextChoices):
    """What happens when nobody decides in time. Approving is not among the choices and never will be."""

    REJECT = "reject", "the action is refused"
    HOLD = "hold", "it stays waiting, marked overdue"
    ESCALATE = "escalate", "it stays waiting, and another group is asked"


class StepUp(models.TextChoices):
    """Whether whoever decides confirms it with a second factor. Two-person acts always ask; no choice here ends that."""

    TIER = "tier", "where two people sign"
    ALWAYS = "always", "always"


class ApprovalPolicyQuerySet(DefinitionQuerySet):
    def for_action(self, *, tool: str, unit_ids: list[UUID]) -> DefinitionQuerySet:
        return self.active().filter(Q(unit_id__in=unit_ids) | Q(unit_id=None), tool__in=[tool, "*"])


class ApprovalPolicy(Definition):
    """One rule: for this tool, when this condition holds, that many people must sign. Versions are never edited."""

    lifecycle: ClassVar[Lifecycle] = POLICY
    protects: ClassVar[bool] = True
    name = models.SlugField(max_length=80)
    version = models.PositiveIntegerField(default=1)
    unit_id = models.UUIDField(null=True, blank=True, help_text="Empty means every business unit")
    tool = models.CharField(max_length=200, default="*", help_text="Exact tool name, or * for every tool")
    condition = models.TextField(
        blank=True, help_text="CEL over args, tool, agent, unit, execution, envelope. Empty means always."
    )
    verdict = models.CharField(max_length=10, choices=PolicyVerdict.choices, default=PolicyVerdict.HOLD)
    required = models.PositiveSmallIntegerField(
        default=1, help_text="How many different people must approve: 0, 1 or 2, or more if the groups below are more"
    )
    needs = models.JSONField(
        default=list,
        db_default=models.Value([], models.JSONField()),
        blank=True,
        help_text="Whose signatures, group by group: [{groups: [finance], count: 1}]",
    )
    reason_codes = models.JSONField(
        default=list,
        db_default=models.Value([], models.JSONField()),
        blank=True,
        help_text="The reasons a decision may give; none chosen means all",
    )
    checks = models.JSONField(
        default=list,
        db_default=models.Value([], models.JSONField()),
        blank=True,
        help_text="Questions that have to be answered with yes before somebody may approve",
    )
    step_up = models.CharField(
        max_length=10, choices=StepUp.choices, default=StepUp.TIER, db_default=StepUp.TIER,
        verbose_name="second factor", help_text="When whoever decides has to confirm it with their second factor",
    )  # fmt: skip
    reason = models.CharField(max_length=300, help_text="Shown to the reviewer: why a person is needed")
    decide_within_seconds = models.PositiveIntegerField(default=24 * 3600, help_text="Time people have to decide")
    use_within_seconds = models.PositiveIntegerField(default=3600, help_text="Time an approval stays usable")
    calendar = models.CharField(
        max_length=80, blank=True, default="", db_default="", help_text="Time to decide counts open hours only"
    )
    on_timeout = models.CharField(max_length=10, choices=OnTimeout.choices, default=OnTimeout.REJECT)
    escalate_to = models.CharField(
        max_length=80, blank=True, default="", db_default="", help_text="The group asked next, when it escalates"
    )
    second_look_percent = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(100)],
        help_text="How many of a hundred decided requests somebody else judges again, blind. "
        "Empty means the installation's own share, 5 unless it says otherwise",
    )
    test_items = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Administrators may put test items in front of the reviewers. They look like any other request, "
        "are never carried out, and are revealed right after the decision",
    )
    objects: Any = ApprovalPolicyQuerySet.as_manager()

    class Meta(Definition.Meta):
        verbose_name_plural = "approval policies"
        constraints = [
            *Definition.Meta.constraints,
            models.UniqueConstraint(name="one_policy_per_name_and_version", fields=["name", "version"]),
            models.CheckConstraint(name="policy_requires_0_to_2_people", condition=Q(required__lte=2)),
            models.CheckConstraint(
                name="policy_draws_at_most_every_request",
                condition=Q(second_look_percent=None) | Q(second_look_percent__lte=100),
            ),
            models.CheckConstraint(
                name="policy_escalates_iff_to_a_group",
                condition=Q(on_timeout=OnTimeout.ESCALATE) & ~Q(escalate_to="")
                | ~Q(on_timeout=OnTimeout.ESCALATE) & Q(escalate_to=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"
