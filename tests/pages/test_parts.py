"""One address, two sizes; live regions that answer nothing when nothing happened; pages nobody keeps."""

from datetime import timedelta

import pytest
from django.urls import reverse

from approvals.operations import delegations
from audit.lifecycle import database_now
from budgets.permissions import grant
from tests import make
from tests.pages.asking import PART, browser_of

LISTS = {
    "approvals": "approval-list",
    "executions": "execution-list",
    "actions": "action-list",
    "failure_groups": "group-list",
    "dead_letters": "letter-list",
    "audit": "event-list",
}


@pytest.fixture
def details(unit, ada):
    letter = make.dead_letter(by=ada)
    request = make.request(by=make.actor(ada))
    return {
        "review": reverse("approval", args=[request.pk]),
        "action": reverse("action", args=[request.subject_id]),
        "execution": reverse("execution", args=[letter.execution_id]),
        "letter": reverse("dead_letter", args=[letter.pk]),
    }


class TestList:
    @pytest.mark.parametrize(("name", "root"), LISTS.items())
    def test_is_a_page_for_everyone_and_a_part_for_htmx(self, as_kay, name, root):
        whole, part = as_kay.get(reverse(name)), as_kay.get(reverse(name), headers=PART)

        assert whole.content.lstrip().startswith(b"<!doctype html>")
        assert part.content.strip().startswith(f'<div id="{root}"'.encode())
        assert f'id="{root}"'.encode() in whole.content

    @pytest.mark.parametrize("name", LISTS)
    def test_tells_caches_what_the_answer_depends_on(self, as_kay, name):
        assert {"HX-Request", "HX-Target"} <= set(as_kay.get(reverse(name))["Vary"].split(", "))


class TestDetail:
    @pytest.mark.parametrize("root", ["review", "action", "execution", "letter"])
    def test_is_a_page_for_everyone_and_a_part_for_htmx(self, details, as_ada, root):
        part = as_ada.get(details[root], headers=PART)

        assert part.content.strip().startswith(f'<div id="{root}"'.encode())
        assert f'id="{root}"'.encode() in as_ada.get(details[root]).content

    @pytest.mark.parametrize("root", ["review", "action", "execution", "letter"])
    def test_answers_nothing_to_whoever_holds_this_version(self, details, as_ada, root):
        page = as_ada.get(details[root]).content.decode()
        version = page.split(f'<div id="{root}"')[1].split('data-live-version="')[1].split('"')[0]

        same = as_ada.get(details[root], headers={**PART, "X-Live": "1", "If-None-Match": f'"{version}"'})
        other = as_ada.get(details[root], headers={**PART, "X-Live": "1", "If-None-Match": '"old"'})

        assert (same.status_code, same.content) == (204, b"")
        assert other.status_code == 200

    @pytest.mark.parametrize("tab", ["steps", "events", "io", "evidence", "cost", "nonsense"])
    def test_of_an_execution_has_an_address_for_every_tab(self, details, as_ada, tab):
        assert as_ada.get(details["execution"], {"tab": tab}).status_code == 200


class TestArrivals:
    def test_are_counted_without_moving_a_row(self, unit, as_grace):
        make.request()
        page = as_grace.get(reverse("approvals")).content.decode()
        address = page.split('id="arrivals" data-live="')[1].split('"')[0].replace("&amp;", "&")
        version = page.split('id="arrivals"')[1].split('data-live-version="')[1].split('"')[0]
        live = {**PART, "X-Live": "1", "If-None-Match": f'"{version}"', "HX-Target": "div#arrivals"}

        before = as_grace.get(address, headers=live)
        make.request()
        make.request()
        after = as_grace.get(address, headers=live)

        assert before.status_code == 204
        assert "2 new items have arrived" in after.content.decode()
        assert "request-rows" not in after.content.decode()

    def test_survive_an_address_made_up_by_hand(self, as_grace):
        assert as_grace.get("/approvals/?since=x", headers={**PART, "HX-Target": "div#arrivals"}).status_code == 200


class TestNavigation:
    def test_counts_what_waits_for_this_person_only(self, unit, ada, as_grace, as_ada):
        make.request(by=make.actor(ada))

        assert '<span class="count">1' in as_grace.get(reverse("nav"), headers=PART).content.decode()
        assert '<span class="count">1' not in as_ada.get(reverse("nav"), headers=PART).content.decode()

    def test_follows_at_once_what_the_reader_may_sign(self, unit, ada, grace, vera):
        make.policy(needs=make.needs("1 from controllers"), required=1)
        make.group("controllers", grace)
        make.request("5000.00", by=make.actor(ada))

        def waits():
            return '<span class="count">1' in browser_of(vera).get(reverse("nav"), headers=PART).content.decode()

        lent = {"unit_id": unit.pk, "to": vera.pk, "starts_at": database_now(), "by": make.actor(grace)}
        told = [waits()]  # who may only look
        row = delegations.delegate(ends_at=database_now() + timedelta(days=1), **lent)
        told.append(waits())  # by a role that was lent
        delegations.revoke(delegation_id=row.pk, by=make.actor(grace))
        grant(vera, "review", unit)
        told.append(waits())  # a role of their own, and no place in the group
        delegations.delegate(ends_at=database_now() + timedelta(days=2), **lent)
        told.append(waits())  # in grace's place
        make.linked("one-person", ada, vera)
        told.append(waits())  # who asked

        assert told == [False, True, False, True, False]

    def test_knows_the_page_it_stands_on_when_asked_alone(self, as_grace):
        live = {**PART, "HX-Current-URL": "http://testserver/executions/"}

        assert 'href="/executions/" aria-current="page"' in as_grace.get(reverse("nav"), headers=live).content.decode()

    def test_says_that_there_are_more_than_it_counts(self, ada, as_ada):
        make.copies(make.dead_letter(by=ada), 999)
        assert '<span class="count">1,000<' in as_ada.get(reverse("nav"), headers=PART).content.decode()

        make.dead_letter(by=ada)
        assert '<span class="count">1,000+<' in as_ada.get(reverse("nav"), headers=PART).content.decode()


class TestPrivacy:
    def test_pages_are_not_kept(self, as_grace):
        assert as_grace.get(reverse("work"))["Cache-Control"] == "no-store"
