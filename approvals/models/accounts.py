"""Accounts that are one person: what an administrator knows and no e-mail address shows."""

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from approvals.statuses import ACCOUNTS
from audit.definitions import Definition, DefinitionQuerySet
from audit.lifecycle import Lifecycle


class LinkedAccounts(Definition):
    """One person with several accounts has one voice. Taking a link apart lets more through, so it takes two people."""

    lifecycle: ClassVar[Lifecycle] = ACCOUNTS
    protects: ClassVar[bool] = True
    name = models.SlugField(max_length=80, help_text="Short name of the person: grace-hopper")
    version = models.PositiveIntegerField(default=1)
    account_ids = ArrayField(models.BigIntegerField(), default=list, blank=True, help_text="Accounts of this person")
    reason = models.CharField(max_length=300, help_text="How it is known that these are one person")

    objects: Any = DefinitionQuerySet.as_manager()

    class Meta(Definition.Meta):
        verbose_name_plural = "linked accounts"
        constraints = [
            *Definition.Meta.constraints,
            models.UniqueConstraint(name="one_link_per_name_and_version", fields=["name", "version"]),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"
