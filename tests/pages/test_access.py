"""Who may open what. One table for every address that shows something of a business unit."""

from decimal import Decimal

import pytest
from django.urls import reverse
from guardian.shortcuts import remove_perm

from budgets.models import Budget
from budgets.operations import Place, charge
from budgets.pricing import Usage
from tests import make

LISTS = [
    "work",
    "approvals",
    "executions",
    "actions",
    "failure_groups",
    "dead_letters",
    "unknown_outcomes",
    "alerts",
    "levels",
    "audit",
    "health",
    "costs",
    "cost_changes",
    "cost_outcomes",
    "cost_lines",
    "traces",
]
OWN = ["preferences", "password", "help", "gallery", "go", "nav"]


@pytest.fixture
def things(unit, ada):
    """One of everything, as addresses."""
    letter = make.dead_letter(by=ada)
    request = make.request(by=make.actor(ada))
    alert = make.alert(of=unit)
    line = charge(Usage(model="m", cost=Decimal(1), currency="EUR"), Place(unit_id=unit.pk))
    return {
        "approval": reverse("approval", args=[request.pk]),
        "action": reverse("action", args=[request.subject_id]),
        "execution": reverse("execution", args=[letter.execution_id]),
        "dead letter": reverse("dead_letter", args=[letter.pk]),
        "cancellation": reverse("execution_cancellations", args=[letter.execution_id]),
        "decision": reverse("approval_decisions", args=[request.pk]),
        "answer": reverse("action_answers", args=[request.subject_id]),
        "retry": reverse("dead_letter_retries", args=[letter.pk]),
        "discard": reverse("dead_letter_discards", args=[letter.pk]),
        "alert": reverse("alert", args=[alert.pk]),
        "acknowledgement": reverse("alert_acknowledgements", args=[alert.pk]),
        "handover": reverse("alert_handovers", args=[alert.pk]),
        "mute": reverse("alert_mutes", args=[alert.pk]),
        "unmute": reverse("alert_unmutes", args=[alert.pk]),
        "cost line": reverse("cost_line", args=[line.pk]),
        "correction": reverse("cost_line_corrections", args=[line.pk]),
    }


def asked(browser, things, kind):
    """The answer to whoever opens this, or does this."""
    return browser.post(things[kind], ACTS[kind]) if kind in ACTS else browser.get(things[kind])


READ = ["approval", "action", "execution", "dead letter", "alert", "cost line"]
ACTS = {
    "correction": {"to": "2", "currency": "EUR", "reason": "the invoice", "read": "0", "confirmed": "1"},
    "decision": {"verdict": "approve"},
    "answer": {"verdict": "happened", "code": "in_their_books", "note": "seen"},
    "retry": {},
    "discard": {"reason_code": "not_needed"},
    "cancellation": {"reason": "no longer needed"},
    "acknowledgement": {"acknowledge-reason": "I look"},
    "handover": {"hand-to": "person:1", "hand-reason": "theirs"},
    "mute": {"mute-hours": "1", "mute-reason": "known"},
    "unmute": {},
}


class TestAnonymous:
    @pytest.mark.parametrize("name", [*LISTS, *OWN])
    def test_is_sent_to_sign_in_and_back(self, db, client, name):
        answer = client.get(reverse(name))

        assert (answer.status_code, answer["Location"]) == (302, f"/login/?next={reverse(name).replace('/', '%2F')}")

    def test_sees_nothing_of_a_unit(self, things, client):
        answers = {kind: asked(client, things, kind) for kind in (*READ, *ACTS)}

        assert {answer.status_code for answer in answers.values()} == {302}, answers
        assert all(answer["Location"].startswith("/login/") for answer in answers.values()), answers


class TestStranger:
    def test_may_open_every_list_and_finds_it_empty(self, things, as_eve):
        answers = {name: as_eve.get(reverse(name)) for name in (*LISTS, "go", "nav")}

        assert {name for name, answer in answers.items() if answer.status_code != 200} == set()
        for told in (b"ADJ-", b"closing"):
            assert {name for name, answer in answers.items() if told in answer.content} == set()

    def test_is_told_that_things_of_other_units_do_not_exist(self, things, as_eve):
        answers = {kind: asked(as_eve, things, kind) for kind in (*READ, *ACTS)}

        assert {kind for kind, answer in answers.items() if answer.status_code != 404} == set()
        assert {kind for kind, answer in answers.items() if b"Finance" in answer.content} == set()


class TestWhoeverMovedAway:
    def test_is_told_no_more_of_what_they_signed(self, unit, grace, as_grace):
        signed = make.approved(make.request(), grace)
        assert signed.title in as_grace.get(reverse("work")).content.decode()

        for permission in ("view", "review"):
            remove_perm(f"budgets.{permission}_businessunit", grace, unit)

        assert signed.title not in as_grace.get(reverse("work")).content.decode()


class TestViewer:
    def test_may_read_everything_of_the_unit_and_is_offered_no_form_that_changes_anything(self, things, as_vera):
        answers = {kind: as_vera.get(things[kind]) for kind in READ}

        assert {kind for kind, answer in answers.items() if answer.status_code != 200} == set()
        pages = {kind: answer.content.decode().split('<main id="main"')[1] for kind, answer in answers.items()}
        assert {kind for kind, page in pages.items() if 'method="post"' in page} == set()

    def test_is_refused_every_act(self, things, as_vera):
        acts = ["retry", "discard", "cancellation", "acknowledgement", "handover", "mute", "unmute"]
        answers = {kind: asked(as_vera, things, kind) for kind in acts}

        assert {kind for kind, answer in answers.items() if answer.status_code != 403} == set()
        assert {kind for kind, answer in answers.items() if b"operator role in Finance" not in answer.content} == set()


class TestAuditList:
    def test_offers_to_filter_by_what_pages_call_a_thing(self, as_kay):
        page = as_kay.get(reverse("audit")).content.decode()

        assert '<option value="seeded_item">Test item</option>' in page

    def test_tells_only_readers_of_the_site_about_sign_ins(self, as_kay, as_vera):
        as_vera.get(reverse("approval", args=["01936f0e-7c1a-7d55-9b1e-3f2a4860c0de"]))

        assert b"request.refused" in as_kay.get(reverse("audit")).content
        assert b"request.refused" not in as_vera.get(reverse("audit")).content

    def test_can_be_narrowed_to_budgets(self, things, unit, as_kay):
        make._activated(Budget(name="runs", unit_id=unit.pk, measure="runs", limit=9))

        page = as_kay.get(reverse("audit"), {"kind": "budget"}).content.decode()

        assert "Activated a budget" in page
        assert "Drafted a budget" in page
        assert "The execution was started" not in page

    def test_links_to_one_entry_with_its_place_in_the_chain(self, things, as_kay):
        page = as_kay.get(reverse("audit"), {"kind": "execution"}).content.decode()
        address = page.split('<td class="nowrap"><a href="')[1].split('"')[0]

        assert "Hash before" in as_kay.get(address).content.decode()

    def test_shows_one_object_and_survives_a_broken_address(self, things, as_kay):
        number = things["execution"].split("/")[2]

        assert as_kay.get(reverse("audit"), {"object": number}).status_code == 200
        assert (
            as_kay.get(reverse("audit"), {"object": "x", "after": "!", "since": "never", "q": "\0"}).status_code == 200
        )


class TestNobody:
    def test_meets_no_search_and_no_list_on_the_page_of_what_is_not_there(self, client, db):
        answer = client.get("/nothing/here/")

        assert answer.status_code == 404
        assert b'role="search"' not in answer.content
        assert b'aria-label="Main"' not in answer.content
