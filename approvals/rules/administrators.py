"""Who is an administrator: somebody who may sign in to the admin and configure policies there."""

from typing import Any

from django.contrib.auth import get_user_model

from audit.actors import Actor

CONFIGURES = "approvals.change_approvalpolicy"


def is_administrator(by: Actor) -> bool:
    """Asked of the database each time: a person who lost the role has lost it."""
    if by.user_id is None:
        return False
    user: Any = get_user_model().objects.filter(pk=by.user_id, is_active=True, is_staff=True).first()
    return user is not None and user.has_perm(CONFIGURES)


def administrators() -> list[int]:
    """Ids of all of them."""
    people: Any = get_user_model().objects
    able = people.with_perm(CONFIGURES, backend="django.contrib.auth.backends.ModelBackend")
    return list(able.filter(is_staff=True, is_active=True).values_list("pk", flat=True))
