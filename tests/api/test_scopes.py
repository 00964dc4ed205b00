"""Who comes through which door: every address, every method, every scope, people and strangers."""

import errno
import io
import os
import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.utils import timezone

from audit.actors import system
from audit.definitions import activate, draft, retire
from audit.models import AuditEvent
from budgets.models import BusinessUnit
from orchestrator.api.base import ApiView
from orchestrator.api.urls import urlpatterns
from orchestrator.models import Agent, ServiceToken
from orchestrator.operations import tokens
from orchestrator.operations.registry import import_agents
from tests.api.conftest import IMPORTER, Caller, make_person, make_token, signed_in

pytestmark = pytest.mark.django_db


def every_door():
    """(method, path, door) of every address, straight from the URL table."""
    for pattern in urlpatterns:
        view = getattr(pattern.callback, "view_class", None)
        if view is not None and issubclass(view, ApiView):
            path = re.sub(r"<uuid:\w+>", str(uuid4()), pattern.pattern._route)
            for method, door in view.doors.items():
                yield pytest.param(method, path, door, id=f"{method} {pattern.pattern._route}")


DOORS = list(every_door())
# What comes in the Authorization header of somebody we do not know.
STRANGERS = ["", "Bearer", "Bearer hp_x", "Basic YTpi", "bearer hp_000000000000_" + "a" * 43]


def test_every_handler_has_a_door():
    views = [pattern.callback.view_class for pattern in urlpatterns if hasattr(pattern.callback, "view_class")]
    api = [view for view in views if issubclass(view, ApiView)]

    assert len(api) >= 18
    for view in api:
        handlers = {name.upper() for name in ("get", "post", "put", "patch", "delete") if hasattr(view, name)}
        assert handlers == set(view.doors), view


def test_no_scope_lets_a_token_decide():
    decisions = next(door for method, path, door in (case.values for case in DOORS) if path.endswith("/decisions/"))

    assert decisions.scopes == ()
    assert not [scope for scope in tokens.SCOPES if re.search("decide|approve|configure|activate|raise", scope)]


@pytest.mark.parametrize(("method", "path", "door"), DOORS)
class TestEveryDoor:
    def test_opens_to_exactly_the_scopes_it_names(self, world, method, path, door):
        for scope in tokens.SCOPES:
            status, body, _ = Caller(make_token(scopes=[scope])).send(method, path, {})

            code = (body or {}).get("code")
            shut = code in {"missing_scope", "people_only"} and status == 403
            assert shut == (scope not in door.scopes), (scope, status, body)

    def test_says_what_is_missing(self, world, method, path, door):
        lacking = next(scope for scope in tokens.SCOPES if scope not in door.scopes)

        _, problem, _ = Caller(make_token(scopes=[lacking])).send(method, path, {})

        assert problem["code"] == ("missing_scope" if door.scopes else "people_only")
        assert all(scope in problem["detail"] for scope in door.scopes)

    def test_opens_to_people_when_it_is_for_people(self, world, method, path, door):
        person = make_person("ada", world, "view", "operate", "review", "audit")

        status, body, _ = signed_in(person).send(method, path, {})

        assert (status == 403 and body["code"] == "machines_only") == (not door.people)

    def test_refuses_strangers(self, db, method, path, door):
        for header in STRANGERS:
            status, _, headers = Caller(Authorization=header).send(method, path, {})

            assert (status, headers["Content-Type"]) == (401, "application/problem+json"), header
            assert headers["WWW-Authenticate"].startswith("Bearer"), header

    def test_refuses_a_session_without_its_csrf_token(self, world, method, path, door):
        browser = signed_in(make_person("ada", world, "view"))
        del browser.headers["X-CSRFToken"]

        status, problem, _ = browser.send(method, path, {})

        assert (status == 403 and "CSRF" in problem["detail"]) == (method == "POST")


class TestToken:
    @pytest.mark.parametrize("header", STRANGERS)
    def test_that_is_none_opens_nothing(self, db, header):
        assert Caller(Authorization=header).get("actions/")[1]["code"] == "invalid_token"

    def test_is_stored_as_a_hash_and_shown_once(self, world):
        text, token = tokens.issue("triage", "support", ["actions:propose"], 1)

        secret = text.split("_", 2)[2]
        stored = str(ServiceToken.objects.filter(pk=token.pk).values().get())
        assert secret not in stored
        assert secret not in str(list(AuditEvent.objects.values()))
        assert re.fullmatch(r"hp_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", text)

    def test_stops_on_the_next_request_after_it_is_revoked(self, api, token):
        assert api.get("actions/")[0] == 200
        tokens.revoke(token.split("_")[1])

        assert api.get("actions/")[0] == 401

    def test_stops_when_its_agent_is_retired(self, api):
        assert api.get("actions/")[0] == 200
        retire(Agent.objects.active().get(name="triage"), by=system("test"))

        assert api.get("actions/")[0] == 401

    def test_stops_when_its_agent_moves_to_another_unit(self, api, other_unit):
        assert api.get("audit/events/")[0] == 200
        moved = {"name": "triage", "owner": "owner", "unit": "elsewhere", "allowed_tools": ["*"]}
        import_agents([moved], by=IMPORTER, file="agents.json")

        assert api.get("audit/events/")[0] == 401

    def test_goes_on_when_its_agent_moves_to_the_unit_above(self, world, api):
        top = BusinessUnit(name="top", title="Top")
        draft(top, by=IMPORTER)
        activate(top, by=IMPORTER)
        BusinessUnit.objects.filter(pk=world.pk).update(parent=top)
        moved = {"name": "triage", "owner": "owner", "unit": "top", "allowed_tools": ["*"]}
        import_agents([moved], by=IMPORTER, file="agents.json")

        assert api.get("audit/events/")[0] == 200

    def test_stops_when_its_unit_is_retired(self, world, api):
        retire(world, by=IMPORTER)

        assert api.get("actions/")[0] == 401

    def test_is_not_issued_for_a_unit_its_agent_is_not_of(self, world, other_unit):
        with pytest.raises(tokens.Invalid) as no:
            tokens.issue("triage", "elsewhere", ["read:audit"], 1)

        assert "no active agent 'triage' in the unit 'elsewhere'" in str(no.value)
        assert not ServiceToken.objects.exists()

    def test_that_could_not_be_shown_is_taken_back(self, world):
        class Full(io.StringIO):
            def write(self, text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with pytest.raises(OSError, match="No space left"):
            call_command("token", agent="triage", unit="support", scope=["actions:propose"], stdout=Full())

        assert ServiceToken.objects.get().revoked_at is not None

    def test_stops_when_it_expires(self, api, token):
        ServiceToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

        assert api.get("actions/")[0] == 401

    def test_needs_its_whole_secret(self, token):
        assert Caller(token[:-1] + ("A" if token[-1] != "A" else "B")).get("actions/")[0] == 401

    @pytest.mark.parametrize(
        ("agent", "place", "scopes", "days"),
        [("ghost", "support", ["actions:propose"], 1), ("triage", "nowhere", ["actions:propose"], 1),
         ("triage", "support", ["actions:decide"], 1), ("triage", "support", [], 1),
         ("triage", "support", ["actions:propose"], 0), ("triage", "support", ["actions:propose"], 367)],
    )  # fmt: skip
    def test_is_not_issued_for_nonsense(self, world, agent, place, scopes, days):
        with pytest.raises(tokens.Invalid):
            tokens.issue(agent, place, scopes, days)


class TestRefusals:
    def test_are_recorded_with_the_route_and_never_with_what_was_sent(self, api):
        status, problem, _ = api.post(f"actions/{uuid4()}/redemptions/", {})

        event = AuditEvent.objects.get(pk=problem["instance"].removeprefix("urn:uuid:"))
        assert status == 404
        assert (event.event, event.actor, event.why) == ("request.refused", "agent:triage", "not_found")
        assert "redemptions" in event.data
        assert problem["instance"] not in event.data

    def test_of_a_wrong_token_are_recorded_without_it(self, db):
        Caller("hp_000000000000_" + "s" * 43).get("actions/")

        event = AuditEvent.objects.get(event="request.refused")
        assert (event.actor, event.why) == ("anonymous", "invalid_token")
        assert "sss" not in event.data
