"""How many statements a page costs: at most 15 for a list, 25 for a detail, and the same for one row as for many."""

import gzip
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from budgets.models import Budget
from budgets.operations import Place, charge, correct
from budgets.pricing import Usage
from budgets.reserving import anything_is_budgeted
from orchestrator.models import FailureGroup, Operation
from orchestrator.operations import failure_groups
from tests import make
from tests.pages.test_access import LISTS

MOST = {"list": 15, "detail": 28}


def costs(browser, addresses):
    return {address: cost(browser, address) for address in addresses}


def cost(browser, address):
    browser.get(address)  # what is remembered per process (content types) is not the page's cost
    with CaptureQueriesContext(connection) as asked:
        assert browser.get(address).status_code == 200
    return len(asked)


@pytest.fixture
def as_everyone(unit):
    """Somebody with every role sees every part of a page."""
    from tests.pages.asking import browser_of

    return browser_of(make.person("max", "view", "review", "operate", "audit", of=unit, site=True))


def fill(times):
    for _ in range(times):
        make.dead_letter()
        make.execution("waiting")
        make.rejected(make.request(), make.person("grace", "view", "review"))
        make.request()
        make.doubt(of=make.unit())
        make.alert(of=make.unit())


class TestList:
    def test_costs_the_same_however_many_rows(self, as_everyone):
        lists = [reverse(name) for name in LISTS]
        fill(1)
        few = costs(as_everyone, lists)
        fill(4)

        assert costs(as_everyone, lists) == few
        assert {address: cost for address, cost in few.items() if cost > MOST["list"]} == {}


class TestRequestsThatAreListed:
    def test_leave_what_only_their_own_page_shows_in_the_table(self, as_everyone):
        fill(1)
        run = make.execution("waiting", calls=2)
        tabs = [f"{run.get_absolute_url()}?tab={tab}" for tab in ("steps", "events", "evidence")]
        read = {}
        for address in [*(reverse(name) for name in LISTS), *tabs]:
            with CaptureQueriesContext(connection) as asked:
                assert as_everyone.get(address).status_code == 200
            read[address] = [one["sql"] for one in asked if '"approvals_approvalrequest"."snapshot"' in one["sql"]]

        assert {address: found for address, found in read.items() if found} == {}


class TestDetail:
    def test_of_an_execution_costs_the_same_however_long_its_story(self, as_everyone, grace):
        make.policy()
        one, many = (make.execution("waiting", calls=number) for number in (1, 6))
        tabs = ["steps", "events", "io", "evidence", "cost"]
        short, long = (
            {tab: cost(as_everyone, f"{run.get_absolute_url()}?tab={tab}") for tab in tabs} for run in (one, many)
        )

        assert long == short
        assert max(short.values()) <= MOST["detail"]

    def test_of_a_request_an_action_and_a_letter_stays_inside_its_budget(self, as_everyone):
        fill(1)
        letter, request = make.dead_letter(), make.request()
        addresses = [
            request.get_absolute_url(),
            reverse("action", args=[request.subject_id]),
            letter.get_absolute_url(),
            make.alert(of=make.unit()).get_absolute_url(),
        ]
        few = costs(as_everyone, addresses)
        fill(3)

        assert costs(as_everyone, addresses) == few
        assert max(few.values()) <= MOST["detail"]

    def test_of_a_budget_and_a_cost_line_stays_inside_its_budget(self, as_everyone, unit):
        for number in range(4):
            make._activated(Budget(name=f"b{number}", unit_id=unit.pk, measure="tokens", limit=1000))
        anything_is_budgeted.again()
        line = charge(Usage(model="m", cost=Decimal(1), currency="EUR", input_tokens=5), Place(unit_id=unit.pk))
        correct(line, to=Decimal(2), why="the invoice", by=make.MAKER)
        addresses = ["/budgets/b0/", f"/costs/lines/{line.pk}/"]
        few = costs(as_everyone, addresses)
        for amount in (3, 4, 5):
            correct(line, to=Decimal(amount), why="the invoice", by=make.MAKER)

        assert costs(as_everyone, addresses) == few
        assert max(few.values()) <= MOST["detail"]

    def test_reads_no_code_for_the_name_of_a_release(self, as_everyone):
        letter = make.dead_letter()
        pages = [letter.execution.get_absolute_url(), letter.get_absolute_url()]
        for address in [*pages, "/api/v1/executions/", f"/api/v1/executions/{letter.execution_id}/"]:
            as_everyone.get(address)
            with CaptureQueriesContext(connection) as asked:
                assert as_everyone.get(address).status_code == 200
            assert [query["sql"] for query in asked if '"bundle"' in query["sql"]] == [], address

    def test_of_ones_own_password_stays_inside_its_budget(self, as_everyone):
        assert cost(as_everyone, reverse("password")) <= MOST["detail"]

    def test_of_a_request_that_three_of_four_have_signed_stays_inside_its_budget(self, as_everyone):
        signers = [make.person(name, "view", "review") for name in ("grace", "linus", "ken", "joan")]
        make.group("finance", *signers)
        make.group("risk", *signers)
        make.policy("many", needs=make.needs("2 from finance", "2 from risk"))
        request = make.approved(make.request("4860.00"), *signers[:3])

        assert request.status == "pending"
        assert cost(as_everyone, request.get_absolute_url()) <= MOST["detail"]


class TestAGroupOf1204Letters:
    """What an operator opens in the worst hour: the page's cost does not follow the number of letters."""

    @pytest.fixture
    def big(self, as_everyone):
        letter = make.letter()
        make.copies(letter, 1203)
        return FailureGroup.objects.get(pk=letter.group_id)

    def test_opens_inside_the_budget(self, as_everyone, big):
        small = FailureGroup.objects.get(pk=make.letter("Another thing").group_id)

        for tab in ("letters", "executions", "values", "history"):
            address = f"{big.get_absolute_url()}?tab={tab}"
            few = cost(as_everyone, f"{small.get_absolute_url()}?tab={tab}")
            assert few - 4 <= cost(as_everyone, address) <= few + 4, tab  # names of what only one of the two has
            assert few + 4 <= MOST["detail"], tab
            assert compressed(as_everyone, address) <= 35_000, tab

    def test_is_previewed_and_confirmed_inside_the_budget(self, as_everyone, big):
        choice = {"act": "redrive", "rows": "all"}
        as_everyone.post(reverse("failure_group_operations", args=[big.pk]), choice)
        operation = Operation.objects.get()
        page = as_everyone.get(operation.get_absolute_url()).content.decode()

        assert operation.size == 1204
        assert "These are exactly 1204 letters" in page
        assert cost(as_everyone, operation.get_absolute_url()) <= MOST["detail"]
        assert compressed(as_everyone, operation.get_absolute_url()) <= 35_000
        terms = {"per_minute": "600", "stop_percent": "5", "count": "1204"}
        as_everyone.post(reverse("operation_confirmations", args=[operation.pk]), terms)
        assert cost(as_everyone, operation.get_absolute_url()) <= MOST["detail"]

    def test_is_split_and_merged_without_losing_one(self, big):
        ada = make.actor(make.person("max"))
        other = make.letter(name="other")
        part = failure_groups.split(group_id=big.pk, by=ada, name="workflow", value="closing")
        assert (part.letters.count(), big.letters.count()) == (1204, 1)
        failure_groups.merge(group_id=part.pk, into_id=big.pk, by=ada, why="one cause")
        assert (part.letters.count(), big.letters.count()) == (0, 1205)
        assert other.group_id == big.pk


def compressed(browser, address):
    return len(gzip.compress(browser.get(address).content))


class TestUnchangedPoll:
    def test_costs_little(self, as_everyone):
        running = make.execution("running")
        page = as_everyone.get(running.get_absolute_url()).content.decode()
        version = page.split('id="execution"')[1].split('data-live-version="')[1].split('"')[0]
        with CaptureQueriesContext(connection) as asked:
            poll = {"HX-Request": "true", "X-Live": "1", "If-None-Match": f'"{version}"'}
            answer = as_everyone.get(running.get_absolute_url(), headers=poll)

        assert answer.status_code == 204
        assert len(asked) <= 6
