"""`manage.py roles`: who holds which role in which business unit; gives and takes them. The first one has no other way."""

from typing import Any, get_args

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.acting import acting
from audit.actors import system
from audit.definitions import DefinitionStatus
from audit.scope import Permission
from budgets.models import BusinessUnit
from budgets.permissions import given, grant, withdraw

COMMAND_LINE = system("command line")
ROLES: tuple[Permission, ...] = get_args(Permission)


class Command(BaseCommand):
    help = (
        "Give or take roles in a business unit and those below it. Whoever operates, reviews or audits also views; "
        "taking `view` takes all. Without --give and --take: list who holds what."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--unit", help="name of an active business unit")
        to = parser.add_mutually_exclusive_group()
        to.add_argument("--person", metavar="USERNAME", help="an active account")
        to.add_argument("--group", metavar="NAME", help="a group of accounts, as the admin makes them")
        parser.add_argument("--give", action="append", default=[], choices=ROLES)
        parser.add_argument("--take", action="append", default=[], choices=ROLES)

    def handle(self, *_: Any, **options: Any) -> None:
        unit = _unit(options["unit"]) if options["unit"] else None
        who = _who(options["person"], options["group"])
        if options["give"] or options["take"]:
            if unit is None or who is None:
                raise CommandError("Say in which --unit, and whose: --person USERNAME or --group NAME.")
            _change(unit, who, give=set(options["give"]), take=set(options["take"]))
        self._list(unit, who)

    def _list(self, unit: BusinessUnit | None, who: Any) -> None:
        rows = [row for row in given() if unit in (None, row.unit) and who in (None, row.to)]
        for row in rows:
            kind = "group" if isinstance(row.to, Group) else "person"
            self.stdout.write(f"{row.unit.name}: {kind} {row.to}: {', '.join(row.permissions)}")
        if not rows:
            self.stdout.write("Nobody holds a role there.")


def _change(unit: BusinessUnit, who: Any, *, give: set[Permission], take: set[Permission]) -> None:
    if give & take:
        raise CommandError(f"Give or take {', '.join(sorted(give & take))}, not both.")
    if give and "view" in take:
        raise CommandError("Whoever has another role there also views. Take `view` alone to take all.")
    with acting(COMMAND_LINE):
        for permission in {"view", *give} if give else ():
            grant(who, permission, unit)
        for permission in ROLES if "view" in take else take:
            withdraw(who, permission, unit)


def _unit(name: str) -> BusinessUnit:
    unit = BusinessUnit.objects.filter(name=name, status=DefinitionStatus.ACTIVE).first()
    if unit is None:
        raise CommandError(
            f"There is no active business unit {name!r}: one administrator drafts it, another activates it."
        )
    return unit


def _who(username: str | None, group: str | None) -> Any:
    if username is not None:
        person = get_user_model().objects.filter(username=username, is_active=True).first()
        if person is None:
            raise CommandError(f"There is no active person called {username!r}.")
        return person
    if group is not None:
        found = Group.objects.filter(name=group).first()
        if found is None:
            raise CommandError(f"There is no group {group!r}. Make it in the admin, or correct the name.")
        return found
    return None
