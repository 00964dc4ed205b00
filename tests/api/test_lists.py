"""Lists: pages that neither skip nor repeat, filters by field name, and an error for anything else."""

from urllib.parse import urlsplit

import pytest

from orchestrator.operations.registry import import_agents
from tests.api.conftest import IMPORTER, Caller, cancel_order, make_token, signed_in

pytestmark = pytest.mark.django_db
LISTS = ["actions/", "executions/", "approvals/", "dead-letters/", "failure-groups/", "audit/events/", "traces/"]


def propose(api, count):
    return [api.post("actions/", cancel_order(f"A{number}"))[1]["id"] for number in range(count)]


def follow(api, address):
    parts = urlsplit(address)
    return api.get(f"{parts.path.removeprefix('/api/v1/')}?{parts.query}")[1]


class TestPages:
    def test_walk_every_row_once_and_back_again(self, api):
        ids = propose(api, 7)[::-1]

        page = api.get("actions/?limit=3")[1]
        seen, pages = [], []
        while True:
            seen += [row["id"] for row in page["results"]]
            pages.append(page)
            if page["next"] is None:
                break
            page = follow(api, page["next"])

        assert seen == ids
        assert [len(page["results"]) for page in pages] == [3, 3, 1]
        assert pages[0]["previous"] is None
        assert [row["id"] for row in follow(api, pages[2]["previous"])["results"]] == ids[3:6]

    def test_do_not_repeat_rows_when_new_ones_arrive(self, api):
        propose(api, 4)
        first = api.get("actions/?limit=2")[1]
        propose(api, 3)

        second = follow(api, first["next"])

        assert not {row["id"] for row in first["results"]} & {row["id"] for row in second["results"]}

    def test_keep_their_filters(self, api):
        propose(api, 3)
        api.post("actions/", {"tool": "orders.get", "arguments": {}})

        page = api.get("actions/?tool=orders.cancel&limit=2")[1]

        assert len(follow(api, page["next"])["results"]) == 1

    def test_count_only_when_asked(self, api):
        propose(api, 3)

        assert "count" not in api.get("actions/")[1]
        assert api.get("actions/?count=1&limit=1")[1]["count"] == 3


class TestFilters:
    def test_narrow_by_field_name(self, api):
        held = propose(api, 2)
        api.post("actions/", {"tool": "orders.get", "arguments": {}, "business_key": "case-7"})

        def ids(query):
            return {row["id"] for row in api.get(f"actions/?{query}")[1]["results"]}

        assert ids("status=held") == ids("verdict=hold") == ids("tool=orders.cancel") == set(held)
        assert len(ids("business_key=case-7")) == 1
        assert ids("unit=nowhere") == ids("created_after=2150-01-01T00:00:00Z") == set()
        assert len(ids("unit=support&agent=triage&created_before=2150-01-01T00:00:00Z")) == 3

    @pytest.mark.parametrize("path", LISTS)
    @pytest.mark.parametrize(
        "query",
        ["statsu=held", "limit=0", "limit=201", "limit=x", "limit=", "limit=%D9%A3", "cursor=x", "cursor=oW10",
         "cursor=o%00", "page=2", "unit=%00", "%00=1", "created_after=yesterday", "at_after=0000-00-00T00:00:00Z"],
    )  # fmt: skip
    def test_refuse_what_they_do_not_know(self, api, path, query):
        status, problem, headers = api.get(f"{path}?{query}")

        assert (status, headers["Content-Type"]) == (400, "application/problem+json")
        assert problem["code"] == "bad_parameter"

    def test_name_the_one_that_was_meant(self, api):
        assert "Did you mean status?" in api.get("actions/?statsu=held")[1]["remedy"]

    @pytest.mark.parametrize("query", ["status=hled", "execution=7", "verdict=maybe"])
    def test_refuse_values_that_cannot_be(self, api, query):
        assert api.get(f"actions/?{query}")[0] == 400


class TestWhatARefusalSays:
    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ("agent=%00", "agent: Leave out the character U+0000."),
            ("agent=" + "a" * 301, "agent: Use at most 300 characters."),
            ("created_after=2026-11-29T00:00:00+02:00", "A plus sign is written %2B in an address."),
        ],
    )
    def test_is_what_is_wrong(self, api, query, said):
        _, problem, _ = api.get(f"actions/?{query}")

        assert said in problem["detail"]

    def test_is_nothing_where_the_plus_sign_is_written_as_one(self, api):
        assert api.get("actions/?created_after=2026-11-29T00:00:00%2B02:00")[0] == 200


class TestUnits:
    @pytest.mark.parametrize("path", LISTS)
    def test_a_stranger_sees_nothing(self, api, other_unit, path):
        propose(api, 2)
        alien = {"name": "alien", "owner": "owner", "unit": "elsewhere", "allowed_tools": ["*"]}
        import_agents([alien], by=IMPORTER, file="agents.json")
        stranger = Caller(make_token("alien", "elsewhere"))

        assert [row for row in stranger.get(path)[1]["results"] if row["unit"] != "elsewhere"] == []

    def test_people_see_the_units_they_may_view(self, api, grace):
        propose(api, 2)

        assert len(signed_in(grace).get("actions/")[1]["results"]) == 2
        assert len(signed_in(grace).get("approvals/?status=pending")[1]["results"]) == 2
        assert signed_in(grace).get("audit/events/")[1]["results"] == []
