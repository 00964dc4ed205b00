"""A reviewer group: named people whose signature a policy may ask for. Who is in it is drafted, activated, never edited."""

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from approvals.statuses import GROUP
from audit.definitions import Definition, DefinitionQuerySet
from audit.lifecycle import Lifecycle


class ReviewerGroup(Definition):
    """Being in a group gives no permission: a member also needs the reviewer role in the unit of the request.

    Membership decides whose signature counts, so it takes two people like a policy: a version is a list of members.
    """

    lifecycle: ClassVar[Lifecycle] = GROUP
    name = models.SlugField(max_length=80, help_text="Short name, as policies write it: risk")
    version = models.PositiveIntegerField(default=1)
    title = models.CharField(max_length=100, help_text="As reviewers read it: Risk")
    unit_id = models.UUIDField(null=True, blank=True, help_text="Empty means every business unit")
    member_ids = ArrayField(models.BigIntegerField(), default=list, blank=True, help_text="Who is in the group")

    objects: Any = DefinitionQuerySet.as_manager()

    class Meta(Definition.Meta):
        constraints = [
            *Definition.Meta.constraints,
            models.UniqueConstraint(name="one_group_per_name_and_version", fields=["name", "version"]),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"
