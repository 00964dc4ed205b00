"""Several deployments publish at the same instant: one content is one release, and the trail tells how production moved."""

import json

import pytest

from audit.models import AuditEvent
from orchestrator.models import Channel, Release
from orchestrator.releases.bundle import publish
from tests import worlds as make
from tests.races.racing import race

RACES = 5
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def folder(tmp_path):
    """A workflow's folder of that version, without definitions of its own."""
    make.world()

    def folder(version: str):
        place = tmp_path / version
        place.mkdir()
        (place / "workflow.yaml").write_text(make.PAY_WORKFLOW.replace("1.0.0", version))
        (place / "handlers.py").write_text(make.HANDLERS)
        return place

    return folder


class TestPublishingAtOnce:
    def test_makes_one_release_of_one_content(self, folder):
        for number in range(RACES):
            place = folder(f"1.0.{number}")

            outcomes = race(*[lambda place=place: publish(place, by=make.SETUP)] * 4)

            assert outcomes == [None] * 4
            assert Release.objects.filter(version=f"1.0.{number}").count() == 1

    def test_moves_production_from_one_to_the_next_and_says_so(self, folder):
        places = [folder(f"1.0.{number}") for number in range(6)]
        for place in places:
            publish(place, by=make.SETUP)

        for _ in range(RACES):
            race(*[lambda place=place: publish(place, by=make.SETUP) for place in places])

        moves = AuditEvent.objects.filter(event="release.promoted", stream="workflow:paying").order_by("seq")
        before = [json.loads(move.data)["before"] for move in moves]
        after = [str(move.object_id) for move in moves]
        assert before == ["", *after[:-1]]
        assert str(Channel.objects.get(workflow="paying").release_id) == after[-1]
