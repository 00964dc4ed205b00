"""Tools and agents: contracts that people draft and activate, and that every release freezes a copy of."""

from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Now

from audit.definitions import Definition, DefinitionQuerySet, definition_lifecycle
from audit.ids import new_id
from audit.lifecycle import Lifecycle
from orchestrator.runner.egress import place_of

TOOL = definition_lifecycle("tool")
AGENT = definition_lifecycle("agent")


class Effect(models.TextChoices):
    READ = "read"
    WRITE = "write"
    IRREVERSIBLE = "irreversible"


class IdempotencyClass(models.TextChoices):
    """What the other side offers: decides whether a doubtful send may be repeated (reliability.md, section 3)."""

    HONOURS_KEY = "A", "A: honours an idempotency key"
    CAN_BE_LOOKED_UP = "B", "B: the effect can be looked up"
    NEITHER = "C", "C: neither; a doubtful send waits for a person"


def names_hosts(value: Any) -> None:
    """Raises ValidationError unless this is a list of hosts."""
    if not isinstance(value, list):
        raise ValidationError("Write a list of hosts.")
    for entry in value:
        try:
            place_of(entry if isinstance(entry, str) else "")
        except ValueError as error:
            raise ValidationError(f"{error}. Write erp.bank.example, erp.bank.example:443 or *.bank.example.") from None


class Tier(models.TextChoices):
    INFORMATIONAL = "informational", "informational: nobody"
    CUSTOMER_FACING = "customer_facing", "customer-facing: one person"
    FINANCIAL = "financial", "financial or regulatory: two people"


class Tool(Definition):
    """One thing an agent can do to the world, with everything the gate needs to judge, key, look up and undo it."""

    lifecycle: ClassVar[Lifecycle] = TOOL
    name = models.CharField(max_length=200)
    version = models.CharField(max_length=40, default="1.0.0")
    description = models.TextField(blank=True)
    title = models.CharField(max_length=300, blank=True, help_text="One line for people: Post {amount} {currency}")
    input_schema = models.JSONField(default=dict, blank=True)
    output_schema = models.JSONField(default=dict, blank=True)
    effect = models.CharField(max_length=20, choices=Effect.choices)
    idempotency_class = models.CharField(max_length=1, choices=IdempotencyClass.choices, default="C")
    tier = models.CharField(max_length=20, choices=Tier.choices)
    entry = models.CharField(max_length=200, blank=True, help_text="module:function in the workflow folder")
    probe = models.CharField(max_length=200, blank=True, help_text="Looks an effect up by business key")
    record = models.CharField(max_length=200, blank=True, help_text="Reads the authoritative record before dispatch")
    business_key = models.CharField(max_length=300, blank=True, help_text="CEL over args, e.g. args.reference")
    compensate_with = models.CharField(max_length=200, blank=True, help_text="Tool that undoes this one")
    owner = models.CharField(max_length=200, blank=True)
    runbook = models.TextField(blank=True)
    scopes = models.JSONField(
        default=list,
        blank=True,
        help_text="What it asks of its own credentials, for people to read: nothing is refused by it",
    )
    egress = models.JSONField(
        default=list, blank=True, validators=[names_hosts],
        help_text='Hosts its code may reach: ["erp.bank.example", "*.bank.example:443"]; none: whatever its release names',
    )  # fmt: skip

    objects: Any = DefinitionQuerySet.as_manager()

    class Meta(Definition.Meta):
        constraints = [
            *Definition.Meta.constraints,
            models.UniqueConstraint(name="one_tool_per_name_and_version", fields=["name", "version"]),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class Agent(Definition):
    """Whoever proposes actions: our own handler or a foreign program. It has an owner, or it does not run."""

    lifecycle: ClassVar[Lifecycle] = AGENT
    name = models.CharField(max_length=200)
    version = models.PositiveIntegerField(default=1)
    description = models.TextField(blank=True)
    unit_id = models.UUIDField()
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    runbook = models.TextField(blank=True)
    support = models.CharField(max_length=200, blank=True, help_text="Support queue or pager alias")
    data_classification = models.CharField(
        max_length=40, blank=True, help_text="For people to read: nothing is refused by it"
    )
    entry = models.CharField(max_length=200, blank=True, help_text="module:function in the workflow folder")
    input_schema = models.JSONField(default=dict, blank=True)
    output_schema = models.JSONField(default=dict, blank=True)
    allowed_tools = models.JSONField(default=list, blank=True, help_text='Tool names; ["*"] allows every active tool')
    egress = models.JSONField(
        default=list, blank=True, validators=[names_hosts],
        help_text='Hosts its code may reach: ["erp.bank.example", "*.bank.example:443"]; none: whatever its release names',
    )  # fmt: skip
    last_used_at = models.DateTimeField(null=True, editable=False)

    objects: Any = DefinitionQuerySet.as_manager()

    class Meta(Definition.Meta):
        constraints = [
            *Definition.Meta.constraints,
            models.UniqueConstraint(name="one_agent_per_name_and_version", fields=["name", "version"]),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    def may_call(self, tool: str) -> bool:
        return "*" in self.allowed_tools or tool in self.allowed_tools


class ServiceToken(models.Model):
    """A machine's key: 256 random bits shown once, stored as SHA-256; scoped, bound to one agent and unit, expiring."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    prefix = models.CharField(max_length=12, unique=True)
    secret_hash = models.CharField(max_length=64)
    agent = models.CharField(max_length=200)
    unit_id = models.UUIDField()
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.prefix}... for {self.agent}"
