"""How page tests ask: as a person with a browser of their own, for a page or, as htmx does, for a part of it."""

import json
from typing import Any

from django.contrib.auth import get_user_model
from django.test import Client

from approvals.authentication.factors import Binding
from approvals.models import ApprovalRequest
from audit.actors import Actor
from tests import make, passkey

PART = {"HX-Request": "true"}


def browser_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def person_of(browser: Client) -> Actor:
    return make.actor(get_user_model().objects.get(pk=browser.session["_auth_user_id"]))


def signed_on_a_device(browser: Client, request: ApprovalRequest) -> dict[str, str]:
    """What the page's script puts into the form once the person's passkey has signed for what the request is now."""
    if not request.asks_step_up:
        return {}
    by = person_of(browser)
    return fields_of(passkey.of(by).sign(by, Binding(request.pk, request.digest, request.revision)))


def fields_of(given: Any) -> dict[str, str]:
    return {"assertion": json.dumps(given.assertion), "challenge": given.challenge}
