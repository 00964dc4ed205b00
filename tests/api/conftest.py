"""The world of the API tests: a unit, its people, an agent with tools, and callers with tokens."""

import json
from http.client import HTTPConnection

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from audit.actors import system
from audit.definitions import activate, draft
from budgets.models import BusinessUnit
from budgets.permissions import grant
from orchestrator.operations import tokens
from orchestrator.operations.registry import import_agents, import_tools
from tests import kept

IMPORTER = system("import")
TOOLS = [
    {"name": "orders.get", "version": "1", "effect": "read", "tier": "informational"},
    {
        "name": "orders.cancel",
        "version": "1",
        "effect": "write",
        "tier": "customer_facing",
        "title": "Cancel {order}",
        "compensate_with": "orders.restore",
        "input_schema": {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]},
    },
    {"name": "orders.restore", "version": "1", "effect": "write", "tier": "informational"},
    {"name": "orders.refund", "version": "1", "effect": "irreversible", "tier": "financial"},
]


class Caller:
    """One client of the API. Answers are (status, body, headers)."""

    def __init__(self, token="", **headers):
        self.headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **headers}
        self.client = Client(raise_request_exception=False, enforce_csrf_checks=True)

    def get(self, path, **headers):
        return self.send("GET", path, None, **headers)

    def post(self, path, body=None, **headers):
        return self.send("POST", path, {} if body is None else body, **headers)

    def send(self, method, path, body, *, content_type="application/json", **headers):
        raw = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        answer = self.client.generic(
            method, f"/api/v1/{path}", raw or b"", content_type=content_type, headers={**self.headers, **headers}
        )
        return answer.status_code, json.loads(answer.content or b"null"), answer.headers


class HttpCaller(Caller):
    """The same over a socket, as an agent anywhere would: safe to use from many threads."""

    def __init__(self, server, token="", **headers):
        super().__init__(token, **headers)
        self.address = server.url.removeprefix("http://")

    def send(self, method, path, body, *, content_type="application/json", **headers):
        connection = HTTPConnection(self.address, timeout=60)
        raw = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        connection.request(method, f"/api/v1/{path}", raw, {**self.headers, "Content-Type": content_type, **headers})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, json.loads(content or b"null"), answer.headers


@pytest.fixture
def unit(db):
    return make_unit("support", "Customer support")


@pytest.fixture
def other_unit(db):
    return make_unit("elsewhere", "Elsewhere")


@pytest.fixture
def owner(db):
    return make_person("owner")


@pytest.fixture
def world(unit, owner):
    """Four tools and two agents of the unit."""
    kept.once(("world", unit.pk, owner.pk), import_registry)
    return unit


def import_registry():
    import_tools(TOOLS, by=IMPORTER, file="tools.json")
    agents = [
        {"name": name, "owner": "owner", "unit": "support", "allowed_tools": ["*"]} for name in ("triage", "other")
    ]
    import_agents(agents, by=IMPORTER, file="agents.json")


@pytest.fixture
def token(world):
    return make_token()


@pytest.fixture
def api(token):
    return Caller(token)


@pytest.fixture
def http(live_server, token):
    return HttpCaller(live_server, token)


@pytest.fixture
def grace(world):
    """A reviewer of the unit."""
    return make_person("grace", world, "view", "review")


def make_unit(name, title):
    return kept.once(("unit", name, title), lambda: _active_unit(name, title))


def _active_unit(name, title):
    unit = BusinessUnit(name=name, title=title, currency="USD")
    draft(unit, by=IMPORTER)
    activate(unit, by=IMPORTER)
    return BusinessUnit.objects.get(pk=unit.pk)


def make_person(name, unit=None, *permissions):
    return kept.once(("person", name, unit and unit.pk, permissions), lambda: _new_person(name, unit, permissions))


def _new_person(name, unit, permissions):
    user = get_user_model().objects.create_user(name)  # hashing a password would be most of a test
    for permission in permissions:
        grant(user, permission, unit)
    return user


def make_token(agent="triage", unit="support", scopes=tuple(tokens.SCOPES), days=1):
    return tokens.issue(agent, unit, scopes, days)[0]


def signed_in(user):
    """The browser of a signed-in person, with its CSRF token."""
    caller = Caller()
    caller.client.force_login(user)
    caller.client.cookies["csrftoken"] = "a" * 32
    caller.headers["X-CSRFToken"] = "a" * 32
    return caller


def cancel_order(order="A1", **more):
    return {"tool": "orders.cancel", "arguments": {"order": order}, **more}


def voice(approval, verdict="approve", **more):
    """What a person's browser sends to decide."""
    return {
        "verdict": verdict,
        "digest": approval["digest"],
        "revision": approval["revision"],
        "reason_code": "evidence_checked",
        "viewed": {"sections": approval["must_view"], "view": approval["view"]},
        **more,
    }
