"""Groups, operations and the failure record over the API: read by machines, redriven by people, once per key."""

import pytest

from orchestrator.models import DeadLetter, FailureGroup, Operation
from tests import make
from tests.api.conftest import Caller, make_token, signed_in


@pytest.fixture
def finance(db):
    """A token of an agent of the finance unit."""
    make.unit("finance", "Finance")
    make.agent()
    return Caller(make_token("poster", "finance"))


@pytest.fixture
def group(finance):
    letters = [make.letter() for _ in range(2)]
    return FailureGroup.objects.get(pk=letters[0].group_id)


@pytest.fixture
def olaf(group):
    """An operator with a browser's session."""
    return signed_in(make.person("olaf", "view", "operate"))


def redrive(caller, group, key="one", **body):
    return caller.post(f"failure-groups/{group.pk}/redrives/", {"count": 2, **body}, **{"Idempotency-Key": key})


class TestReading:
    def test_shows_a_group_with_its_figures(self, finance, group):
        status, page, _ = finance.get("failure-groups/?status=new")
        assert status == 200
        found = page["results"][0]
        assert (found["id"], found["letters"], found["open"], found["unit"]) == (str(group.pk), 2, 2, "finance")
        assert finance.get(f"failure-groups/{group.pk}/")[1] == found

    def test_shows_what_a_letter_means_and_what_to_do(self, finance, group):
        letter = DeadLetter.objects.first()
        found = finance.get(f"dead-letters/{letter.pk}/")[1]
        assert found["group"] == str(group.pk)
        assert found["record"] == {
            "kind": "agent", "component": "poster", "owner": "agent_owner", "failure_class": "system",
            "meaning": "The other side failed.", "remedy": "See that it works again, then redrive.",
            "redrive_helps": True,
        }  # fmt: skip
        assert [row["id"] for row in finance.get(f"dead-letters/?group={group.pk}")[1]["results"]]

    def test_of_another_unit_finds_nothing(self, api, group, olaf):
        operation = redrive(olaf, group)[1]
        assert api.get("failure-groups/")[1]["results"] == []
        for path in (f"failure-groups/{group.pk}/", f"operations/{operation['id']}/",
                     f"dead-letters/{DeadLetter.objects.first().pk}/"):  # fmt: skip
            assert api.get(path)[0] == 404


class TestARedrive:
    def test_is_begun_by_a_person_and_answers_with_its_counts(self, finance, group, olaf):
        status, operation, _ = redrive(olaf, group, per_minute=600, stop_percent=5)

        assert (status, operation["status"], operation["size"]) == (201, "running", 2)
        assert sum(operation["counts"].values()) == 2
        assert finance.get(f"operations/{operation['id']}/")[1] == operation

    def test_with_the_same_key_is_one_operation(self, group, olaf):
        first, again = redrive(olaf, group), redrive(olaf, group)
        assert first[1] == again[1]
        assert again[2]["Idempotency-Replayed"] == "true"
        assert Operation.objects.count() == 1
        assert redrive(olaf, group, count=1)[0] == 422

    def test_of_another_number_does_nothing(self, group, olaf):
        status, problem, _ = redrive(olaf, group, count=3)
        assert (status, problem["code"]) == (409, "wrong_count")
        assert Operation.objects.count() == 0

    def test_at_a_speed_that_is_not_offered_does_nothing(self, group, olaf):
        assert redrive(olaf, group, per_minute=7)[0] == 422
        assert Operation.objects.count() == 0

    def test_is_not_for_machines(self, finance, group):
        status, problem, _ = redrive(finance, group)
        assert (status, problem["code"]) == (403, "people_only")

    def test_is_not_for_viewers(self, group):
        assert redrive(signed_in(make.person("vera", "view")), group)[0] == 403
