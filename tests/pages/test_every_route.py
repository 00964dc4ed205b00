"""Every address of the site and the API that is about one thing, straight from the URL tables: strangers find nothing there,
whoever only looks changes nothing, no GET changes anything, and no form is taken without the token of its sign-in.
"""

import re
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLResolver, get_resolver
from django.utils import timezone

from approvals.models import BreakGlass, BulkAct, EvaluationCase, SecondLook, StopScope
from approvals.operations import bulk, delegations, emergencies, saved_views, stops
from approvals.operations.stops import Target
from audit.ids import new_id
from audit.models import AuditEvent
from budgets.models import Budget
from budgets.operations import Place, charge
from budgets.pricing import Usage
from orchestrator.api.base import ApiView
from orchestrator.api.urls import urlpatterns
from orchestrator.models import Limit
from orchestrator.operations import bulk_letters, tokens
from tests import make
from tests.api.conftest import Caller, signed_in
from tests.pages.asking import browser_of
from tests.routed import routed

pytestmark = pytest.mark.usefixtures("looks_at_once")

# The admin's are walked by model in test_everywhere_admin.py; exporters and scrapers name nothing of ours.
OTHERS = ("admin/", "api/", "v1/")
# One's own factors: nobody else's can even be named.
OWN = ("preferences/",)
WHY = "The bank closes in ten minutes and nobody else answers"
# Whatever any of the forms asks for, so that it is the verb that says no.
TYPED = {
    "acknowledge-reason": WHY, "act": "redrive", "before": "x", "code": "in_their_books", "confirmed": "1", "currency": "EUR",
    "hand-reason": WHY, "hand-to": "person:1", "mute-hours": "1", "mute-reason": WHY, "name": "workflow", "note": WHY,
    "question": WHY, "read": "0", "reason": WHY, "reason_code": "evidence_checked", "reply": WHY, "revision": "1", "rows": "all",
    "to": "2", "value": "closing", "verdict": "approve", "why": WHY,
}  # fmt: skip
SEARCHED = ("approvals/", "executions/", "actions/", "alerts/", "dead-letters/")
# Shown the decision instead of judging it anew: whoever may look may ask for that, and it is recorded.
FOR_VIEWERS = {"second_look_disclosures"}
WRITES = re.compile(r'\b(?:INSERT INTO|UPDATE|DELETE FROM) "?([a-z]\w+)')
# That it was refused, and by which session.
TOLD = {"audit_auditevent", "audit_auditstream", "django_session"}


@pytest.fixture
def things(unit, ada, grace, linus, settings):
    """One of everything that has addresses of its own, by how these begin."""
    now, by, asks = timezone.now(), make.actor(grace), make.actor(ada)
    span = {"starts_at": now, "ends_at": now + timedelta(days=2)}
    letter, request = make.dead_letter(by=ada), make.request(by=asks)
    settings.SECOND_LOOK_PERCENT = 100
    make.rejected(make.request(), grace)
    settings.SECOND_LOOK_PERCENT = 0
    make.policy()
    alone = make.request("2000.00")
    emergencies.break_glass(request_id=alone.pk, by=by, voice=make.voice(alone, by=by), reason=WHY)
    run = make.execution("waiting", by=ada)
    limit = Limit(name="erp", unit_id=unit.pk, tool="erp.post_adjustment", breaks_after=1, why="it is old")
    return {
        "approvals/views/": saved_views.save(name="mine", query={}, unit_id=unit.pk, by=by).pk,
        "approvals/standing-in/delegations/": delegations.delegate(unit_id=unit.pk, to=linus.pk, by=by, **span).pk,
        "approvals/standing-in/absences/": delegations.go_away(
            away_from=span["starts_at"], away_until=span["ends_at"], stand_in=None, by=by
        ).pk,
        "approvals/bulk/": bulk.preview(act=BulkAct.CLAIM, requests=[request], by=by).pk,
        "approvals/second-looks/": SecondLook.objects.get().pk,
        "approvals/cases/": EvaluationCase.objects.get().pk,
        "approvals/break-glass/": BreakGlass.objects.get().pk,
        "approvals/": request.pk,
        "executions/": run.pk,
        "traces/": run.trace_id,
        "actions/": make.doubt(of=unit).pk,
        "limits/": make._activated(limit).pk,
        "costs/lines/": charge(Usage(model="m", cost=Decimal(1), currency="EUR"), Place(unit_id=unit.pk)).pk,
        "alerts/": make.alert(of=unit).pk,
        "operations/": bulk_letters.preview(act="redrive", group_id=letter.group_id, by=asks).pk,
        "dead-letters/groups/": letter.group_id,
        "dead-letters/": letter.pk,
        "stops/": stops.engage(
            target=Target(scope=StopScope.AGENT, agent="looker", unit_id=unit.pk), by=asks, reason=WHY
        ).pk,
        "budgets/units/": unit.pk,
        "budgets/": make._activated(Budget(name="models", unit_id=unit.pk, measure="tokens", limit=1000)).name,
        "audit/": AuditEvent.objects.filter(unit_id=unit.pk)[0].pk,
        "by-hand/": routed().pk,
    }


def routes(patterns=None, before=""):
    for one in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from routes(one.url_patterns, route)
        elif not route.startswith((*OTHERS, *OWN)):
            yield route, one.name


def addresses(things):
    """(name, address) of each; what begins like nothing in the table is new, and has to be put there."""
    for route, name in routes():
        if "<" not in route:
            continue
        start = "by-hand/" if route.endswith("by-hand/") else next(one for one in things if route.startswith(one))
        yield name, "/" + re.sub(r"<\w+:\w+>", str(things[start]), route)


def asked(browser, address, method):
    """What it answers, and the tables it wrote to."""
    with CaptureQueriesContext(connection) as statements:
        answer = getattr(browser, method)(address, TYPED if method == "post" else {})
    written = {table for one in statements for table in WRITES.findall(one["sql"])}
    return answer, written - TOLD


class TestEveryAddress:
    def test_is_not_there_for_a_stranger_whatever_rights_they_have_elsewhere(self, things, eve):
        get_user_model().objects.filter(pk=eve.pk).update(is_superuser=True, is_staff=True)
        browser = browser_of(get_user_model().objects.get(pk=eve.pk))
        found, told, wrote, refusals = defaultdict(set), set(), {}, 0

        for name, address in addresses(things):
            for method in ("get", "post"):
                answer, written = asked(browser, address, method)
                found[answer.status_code].add(name)
                refusals += answer.status_code == 404
                if any(word in answer.content for word in (b"Finance", b"ADJ-", b"closing", b"grace")):
                    told.add((name, method))
                if written:
                    wrote[name, method] = written

        assert set(found) == {404, 405}, {code: names for code, names in found.items() if code not in (404, 405)}
        assert found[404] == {name for name, _ in addresses(things)}
        assert (told, wrote) == (set(), {})
        assert AuditEvent.objects.filter(event="request.refused", actor=f"user:{eve.pk}").count() == refusals

    def test_changes_nothing_for_whoever_only_looks_nor_by_reading(self, things, as_vera):
        taken, wrote = set(), {}

        for name, address in addresses(things):
            for method in ("get", "post"):
                answer, written = asked(as_vera, address, method)
                if method == "post" and answer.status_code < 400:
                    taken.add(name)
                elif written:
                    wrote[name, method] = written

        assert taken == FOR_VIEWERS
        assert wrote == {}

    def test_takes_no_form_without_the_token_of_its_sign_in(self, things, unit):
        everybody = make.person("max", "view", "review", "operate", "audit", of=unit, site=True)
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(everybody)

        answers = {name: asked(browser, address, "post") for name, address in addresses(things)}

        assert {answer.status_code for answer, _ in answers.values()} == {403}
        assert {name: written for name, (_, written) in answers.items() if written} == {}


# Says the same to everybody, or sums that name no unit, or that nobody has folded yet.
NOTHING_OF_A_UNIT = {
    "/login/", "/metrics", "/gallery/", "/nav/", "/approvals/figures.csv", "/kpis/refused.csv", "/kpis/resolution.csv",
    "/kpis.csv", "/api/v1/kpis/", "/costs/outcomes.csv", "/api/v1/costs/", "/api/v1/costs/outcomes/", "/api/v1/health/",
}  # fmt: skip
BY_UNIT = ("/kpis.csv", "/api/v1/kpis/")


def listings(things):
    """Every address that is about no one thing, and the search for one of each kind that it finds."""
    yield from ("/" + route for route, _ in routes() if "<" not in route)
    yield from (f"{address}?by=unit" for address in BY_UNIT)
    yield from (f"/go/?q={str(things[kind])[-8:]}" for kind in SEARCHED)
    for pattern in urlpatterns:
        view, route = getattr(pattern.callback, "view_class", None), str(pattern.pattern)
        if "<" not in route and "GET" in getattr(view, "doors", {}):
            yield f"/api/v1/{route}"


def shown(browser, address, things):
    """What it says there of the unit: its name, what was posted in it, and the ids of its things."""
    answer = browser.get(address)
    text = str(answer.headers) + (b"".join(answer) if answer.streaming else answer.content).decode()
    return {word for word in ("Finance", "ADJ-", *map(str, things.values())) if word in text}


class TestEveryListing:
    def test_says_nothing_of_a_unit_to_a_stranger_whatever_rights_they_have_elsewhere(
        self, things, eve, unit, as_grace
    ):
        get_user_model().objects.filter(pk=eve.pk).update(is_superuser=True, is_staff=True)
        stranger = browser_of(get_user_model().objects.get(pk=eve.pk))
        insiders = browser_of(make.person("max", "view", "review", "operate", "audit", of=unit, site=True)), as_grace
        told, empty = {}, set()

        for address in listings(things):
            if address not in NOTHING_OF_A_UNIT and stranger.get(address).status_code != 405:
                if found := shown(stranger, address, things):
                    told[address] = found
                if not any(shown(insider, address, things) for insider in insiders):
                    empty.add(address)

        assert told == {}
        # Otherwise there would be nothing that could have been told.
        assert empty == set()


# What each act of the API takes, by the end of its address; what was read is no longer what waits.
BODIES = {
    "redemptions": {}, "outcomes": {"fence": str(new_id()), "outcome": "success"}, "withdrawals": {"reason": WHY},
    "undo": {"reason": WHY}, "answers": {"verdict": "happened", "code": "in_their_books", "note": WHY},
    "cancellations": {"reason": WHY}, "undos": {"reason": WHY}, "replies": {"reply": WHY}, "readings": {}, "claims": {},
    "releases": {}, "revocations": {}, "returns": {}, "retries": {}, "redrives": {"count": 1},
    "acknowledgements": {"reason": WHY}, "corrections": {"to": "2", "reason": WHY, "read": 0, "confirmed": True},
    "decisions": {"digest": "d", "revision": 1, "verdict": "approve", "reason_code": "evidence_checked"},
    "confirmations": {"digest": "d", "revision": 1, "code": "123456"},
    "edits": {"digest": "d", "revision": 1, "arguments": {}}, "questions": {"digest": "d", "revision": 1, "question": WHY},
    "results": {"digest": "d", "revision": 1, "result": {}, "reason_code": "done_by_hand"},
}  # fmt: skip
# Where the API calls by another name what the site has, too.
ALSO = {
    "bulk-operations/": "approvals/bulk/", "delegations/": "approvals/standing-in/delegations/",
    "absences/": "approvals/standing-in/absences/", "failure-groups/": "dead-letters/groups/",
}  # fmt: skip
# Whoever comes through the wrong door is told so before anything is looked up.
WRONG_DOOR = {"people_only", "machines_only"}


def doors(things):
    for pattern in urlpatterns:
        view, route = getattr(pattern.callback, "view_class", ApiView), getattr(pattern.pattern, "_route", "")
        if "<" not in route:
            continue
        start = next(one for one in (*ALSO, *things) if route.startswith(one))
        address = re.sub(r"<uuid:\w+>", str(things[ALSO.get(start, start)]), route)
        for method in view.doors:
            yield method, address, BODIES[route.split("/")[-2]] if method == "POST" else None


class TestEveryAddressOfTheApi:
    def test_is_not_there_for_a_token_with_every_scope_nor_for_a_person_of_another_unit(self, things, eve):
        make.agent("stranger", of=make.unit("elsewhere"), owner=eve)
        token, _ = tokens.issue("stranger", "elsewhere", tokens.SCOPES)
        answers, wrote = [], {}

        for caller in (Caller(token), signed_in(eve)):
            for method, address, body in doors(things):
                with CaptureQueriesContext(connection) as statements:
                    status, problem, _ = caller.send(method, address, body, **{"Idempotency-Key": str(new_id())})
                answers.append((method, address, status, problem))
                if written := {table for one in statements for table in WRITES.findall(one["sql"])} - TOLD:
                    wrote[method, address] = written

        assert len(answers) > 60
        assert [one for one in answers if one[2] != 404 and one[3].get("code") not in WRONG_DOOR] == []
        assert [one for one in answers if any(word in str(one[3]) for word in ("Finance", "ADJ-", "grace"))] == []
        assert wrote == {}
