"""The hash chain of one stream of the trail: what was changed, taken out or cut off is noticed, and where."""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from audit.verify import canonical_event, first_break

NOW = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)


ONE, SEVEN = UUID(int=1), UUID(int=7)
TOLD = ("id", "at", "event", "actor", "actor_name", "object_id", "unit_id", "before", "after", "why", "data")


@dataclass(frozen=True)
class Event:
    """As the table keeps it."""

    seq: int
    stream: str = "action:7"
    id: UUID = ONE
    at: datetime = NOW
    event: str = "action.granted"
    actor: str = "user:1"
    actor_name: str = "Grace"
    object_id: UUID | None = SEVEN
    unit_id: UUID | None = None
    before: str = "held"
    after: str = "granted"
    why: str = "two have signed"
    data: str = '{"revision":1}'
    hash: bytes = b""


def hashed(events):
    """Each with the hash that follows from it and the one before."""
    previous, found = b"", []
    for event in events:
        previous = hashlib.sha256(previous + canonical_event(event).encode()).digest()
        found.append(replace(event, hash=previous))
    return found


@pytest.fixture
def chain():
    return hashed(Event(seq) for seq in (1, 2, 3))


class TestAChain:
    def test_holds_as_it_was_written(self, chain):
        assert first_break("action:7", chain, chain[-1].hash) is None

    @pytest.mark.parametrize("name", TOLD)
    def test_breaks_where_anything_was_changed(self, chain, name):
        was = getattr(chain[1], name)
        other = was + timedelta(microseconds=1) if name == "at" else "another"
        chain[1] = replace(chain[1], **{name: other})

        assert first_break("action:7", chain).seq == 2

    def test_misses_an_event_that_was_taken_out_though_all_hashes_were_computed_anew(self, chain):
        left = hashed([chain[0], chain[2]])

        broken = first_break("action:7", left, left[-1].hash)

        assert (broken.seq, broken.why) == (2, "event 2 is missing")

    def test_that_begins_later_than_it_did_is_broken_at_its_first_event(self, chain):
        assert first_break("action:7", hashed(chain[1:])).seq == 1

    def test_that_was_cut_off_does_not_reach_its_head(self, chain):
        broken = first_break("action:7", chain[:2], chain[-1].hash)

        assert broken.seq == 3
        assert "at the end are missing" in broken.why

    def test_of_another_stream_does_not_hold_for_this_one(self, chain):
        assert first_break("action:8", [replace(event, stream="action:8") for event in chain]).seq == 1
