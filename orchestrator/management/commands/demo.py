"""`manage.py demo`: units, people, the example workflows and a first execution. Run twice, it changes nothing."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core.management.base import BaseCommand, CommandParser

from approvals.authentication.factor_secrets import Unreadable
from approvals.authentication.factors import secret_of
from approvals.models import ApprovalPolicy, BusinessCalendar, FactorKind, ReviewerGroup
from audit import events
from audit.actors import person, system
from audit.definitions import activate, draft
from audit.models import AuditEvent
from budgets.models import Budget, BusinessUnit
from budgets.permissions import grant
from orchestrator.management.commands._demo_costs import write as write_costs
from orchestrator.management.commands._input_files import read_csv
from orchestrator.models import Execution, Release
from orchestrator.operations import executions
from orchestrator.operations.registry import import_policies
from orchestrator.releases.folders import folder_of, install

PASSWORD = "holdpoint-demo"
# No mail ever arrives there: the name is reserved for that. Without EMAIL_HOST messages are files anyway.
NOWHERE = "demo.invalid"
DEMO = system("demo")
UNITS = {"group": ("Group", None), "finance": ("Finance", "group"), "support": ("Customer support", "group")}
# Role -> permissions on the top unit, which cover the units below it.
ROLES = {
    "reviewers": ("view", "review"),
    "operators": ("view", "operate"),
    "administrators": ("view", "operate", "audit"),
    "auditors": ("view", "audit"),
}
PEOPLE = {
    "reviewer": "reviewers",
    "reviewer2": "reviewers",
    "operator": "operators",
    "admin": "administrators",
    "admin2": "administrators",
    "auditor": "auditors",
}
CONFIGURABLE = (
    "approvalpolicy", "reviewergroup", "businesscalendar", "linkedaccounts", "escalationlevel", "bypass", "price",
    "webhookendpoint", "delivery", "tool", "agent", "businessunit", "servicetoken", "limit", "budget",
    "budgetexception", "servicelevel",
)  # fmt: skip

GROUPS = {"controllers": ("Controllers", ["reviewer"]), "risk": ("Risk", ["reviewer2"])}
OFFICE = {
    "title": "Office hours, Oslo", "time_zone": "Europe/Oslo", "weekly_hours": "Mon-Fri 08:00-17:00",
    "holidays": "2026-12-25 Christmas Day\n2027-01-01 New Year's Day",
}  # fmt: skip
# The first posting a newcomer meets shows what a policy can ask: two groups, a check, office hours, and who is next.
POLICY = {
    "name": "adjustment-very-large", "tool": "erp.post_adjustment", "condition": "double(args.amount) > 2000.0",
    "reason": "The amount is above 2,000.00: a controller and somebody from risk", "required": 2,
    "needs": [{"groups": ["controllers"], "count": 1}, {"groups": ["risk"], "count": 1}],
    "checks": ["Does the amount match the bank statement?"], "calendar": "office-hours",
    "decide_within_seconds": 9 * 3600, "on_timeout": "escalate", "escalate_to": "risk",
}  # fmt: skip


# One that stops and one that only warns, over what the demo really does: each step that is started is a run.
BUDGETS: tuple[dict[str, Any], ...] = (
    {"name": "finance-runs", "unit": "finance", "measure": "runs", "limit": 1_000, "window": "day",
     "why": "What the finance team may start in a day"},
    {"name": "support-models", "unit": "support", "measure": "money", "currency": "USD", "limit": 250, "window": "month",
     "is_hard": False, "why": "What answering customers may cost in a month"},
)  # fmt: skip


class Command(BaseCommand):
    help = "Load the demo: six people, three business units, the example workflows, one execution. Idempotent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--costs", action="store_true", help="two months of made-up costs, too (examples/costs)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not is_demo():
            self.stdout.write(
                f"ENVIRONMENT is {settings.ENVIRONMENT}: no demo is loaded, because everybody knows its people's password. "
                "`manage.py createsuperuser` makes the first administrator."
            )
            return
        units = _units()
        _people(_groups(units["group"]))
        _factors()
        for name in ("reconciliation", "support_case_resolution"):
            # Published once: what administrators have activated since is theirs, and `manage.py publish` brings news.
            if not Release.objects.filter(workflow=name).exists():
                install(folder_of(name), by=DEMO)
        _policies()
        _budgets(units)
        if not Execution.objects.exists():
            if options["costs"]:
                write_costs(by=DEMO, today=datetime.now(UTC).date())
            _first_execution()
        self._print()

    def _print(self) -> None:
        self.stdout.write(f"Sign in as one of these, password {PASSWORD}:")
        for username, role in PEOPLE.items():
            self.stdout.write(f"  {username:<10} {role}")
        self.stdout.write("\nTwo-person acts take a second factor. The reviewers' authenticator apps have these keys:")
        for username in _reviewers():
            self.stdout.write(f"  {username:<10} {_key_of(username)}")
        self.stdout.write("Scan or type one into an app, or ask for the code of now: manage.py demo_code reviewer")


def is_demo() -> bool:
    """Only there are secrets made up for people and shown to whoever can run a command."""
    return bool(settings.ENVIRONMENT == "demo")


def app_of(username: str) -> Authenticator:
    found: Authenticator = Authenticator.objects.get(user__username=username, type=FactorKind.TOTP)
    return found


def _key_of(username: str) -> str:
    try:
        return secret_of(app_of(username))
    except Unreadable:
        return "cannot be read: SECRET_KEY or FACTOR_KEYS is another than it was"


def _reviewers() -> list[str]:
    """Who of them has an app; they may have removed it."""
    rows = Authenticator.objects.filter(type=FactorKind.TOTP, user__username__in=PEOPLE).order_by("user__username")
    return list(rows.values_list("user__username", flat=True))


def _units() -> dict[str, BusinessUnit]:
    found: dict[str, BusinessUnit] = {}
    for name, (title, parent) in UNITS.items():
        unit = BusinessUnit.objects.filter(name=name).exclude(status="retired").first()
        if unit is None:
            unit = BusinessUnit(name=name, title=title, parent=found.get(parent or ""))
            draft(unit, by=DEMO)
            activate(unit, by=DEMO)
        found[name] = unit
    return found


def _budgets(units: dict[str, BusinessUnit]) -> None:
    """Made once, whatever administrators made of them since."""
    for said in BUDGETS:
        if not Budget.objects.filter(name=said["name"]).exists():
            more = {name: value for name, value in said.items() if name != "unit"}
            budget = Budget(unit_id=units[said["unit"]].pk, **more)
            draft(budget, by=DEMO)
            activate(budget, by=DEMO)


def _groups(top: BusinessUnit) -> dict[str, Group]:
    groups = {name: Group.objects.get_or_create(name=name)[0] for name in ROLES}
    for name, permissions in ROLES.items():
        for permission in permissions:
            grant(groups[name], permission, top)  # type: ignore[arg-type]
    codenames = [f"{verb}_{model}" for verb in ("add", "change", "view") for model in CONFIGURABLE]
    # A ledger is added to and never changed: correcting a line is adding one.
    configure = Permission.objects.filter(codename__in=[*codenames, "add_ledgerentry"])
    # Sign-ins and refusals belong to no unit: reading them is a permission of its own.
    read_trail = Permission.objects.filter(codename="view_auditevent")
    groups["administrators"].permissions.set(configure | read_trail)
    groups["auditors"].permissions.set(read_trail)
    return groups


def _people(groups: dict[str, Group]) -> None:
    for username, role in PEOPLE.items():
        user, created = get_user_model().objects.get_or_create(
            username=username, defaults={"is_staff": role == "administrators", "email": f"{username}@{NOWHERE}"}
        )
        if created:
            user.set_password(PASSWORD)
            user.save()
            user.groups.add(groups[role])


def _factors() -> None:
    """Reviewers who were never given a factor get an app, so that the two-person acts of the demo can be signed."""
    for username in (name for name, role in PEOPLE.items() if role == "reviewers"):
        user: Any = get_user_model().objects.get(username=username)
        if Authenticator.objects.filter(user=user).exists() or _had_one(user.pk):
            continue
        app = TOTP.activate(user, generate_totp_secret()).instance
        told = {"factor": app.type, "number": app.pk, "person": f"user:{user.pk}"}
        events.record("person.factor_added", by=DEMO, data=told)


def _had_one(user_id: int) -> bool:
    """What somebody has removed, or an administrator reset, is not put back."""
    about = f'"person":"user:{user_id}"'
    return AuditEvent.objects.filter(event="person.factor_added", actor=DEMO.key, data__contains=about).exists()


def _policies() -> None:
    for name, (title, people) in GROUPS.items():
        members = get_user_model().objects.filter(username__in=people).values_list("pk", flat=True)
        _once(ReviewerGroup(name=name, title=title, member_ids=sorted(members)))
    _once(BusinessCalendar(name="office-hours", **OFFICE))
    if not ApprovalPolicy.objects.filter(name=POLICY["name"]).exists():
        import_policies([POLICY], by=DEMO, file="demo")


def _once(row: Any) -> None:
    """What an administrator has changed since stays as they left it."""
    if not type(row).objects.filter(name=row.name).exists():
        draft(row, by=DEMO)
        activate(row, by=DEMO)


def _first_execution() -> None:
    """Asked for by the operator, so that both reviewers may sign."""
    data = Path(folder_of("reconciliation")) / "data" / "small"
    operator = get_user_model().objects.get(username="operator")
    executions.start(
        workflow="reconciliation",
        input={"bank": read_csv(data / "bank.csv"), "ledger": read_csv(data / "ledger.csv"), "currency": "EUR"},
        unit="finance",
        by=person(operator.pk, operator.get_username()),
    )
