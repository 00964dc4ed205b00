"""By which class an unanswered send is treated: the one it was sent under and the one in force now, the stricter."""

import pytest

from orchestrator.gate.doubt import LOOKS, doubt_of, needs_two, pause_seconds
from orchestrator.models import Action, Execution, Step, Tool
from orchestrator.queries.unknown_outcomes import following_of


def tool(version: str, kind: str, status: str = "active", tier: str = "informational") -> Tool:
    return Tool(name="pay", version=version, idempotency_class=kind, status=status, tier=tier)


SENT = Action(tool="pay", tool_version="1", tier="informational", required=0)


class TestTheClass:
    @pytest.mark.parametrize("kind", ["A", "B", "C"])
    def test_is_the_tools_while_the_version_it_was_sent_to_is_in_force(self, kind: str) -> None:
        assert doubt_of(SENT, [tool("1", kind)]).letter == kind

    @pytest.mark.parametrize(
        ("sent", "now", "treated"),
        [("A", "C", "C"), ("A", "B", "B"), ("A", "A", "B"), ("C", "A", "C"), ("B", "C", "C"), ("B", "A", "B")],
    )
    def test_is_the_stricter_one_after_a_replacement_and_the_key_is_not_relied_on(
        self, sent: str, now: str, treated: str
    ) -> None:
        doubt = doubt_of(SENT, [tool("1", sent, "retired"), tool("2", now)])

        assert doubt.letter == treated
        assert not doubt.honours_key
        assert f"replaced by 2 (class {now})" in doubt.why

    def test_is_never_the_key_once_the_tool_was_taken_out_of_service(self) -> None:
        assert doubt_of(SENT, [tool("1", "A", "retired")]).letter == "B"

    def test_is_the_strictest_for_a_version_nobody_knows(self) -> None:
        assert doubt_of(SENT, [tool("2", "A")]).letter == "C"

    def test_is_not_taken_from_another_tool(self) -> None:
        other = Tool(name="look", version="1", idempotency_class="A", status="active")

        assert doubt_of(SENT, [other]).letter == "C"


class TestTwoPeople:
    @pytest.mark.parametrize(
        ("tier", "two"), [("informational", False), ("customer_facing", False), ("financial", True)]
    )
    def test_are_asked_above_the_dual_tier_in_force_now(self, tier: str, two: bool) -> None:
        assert needs_two(SENT, [tool("2", "C", tier=tier)]) is two

    def test_are_asked_where_two_had_to_sign_once(self) -> None:
        signed = Action(tool="pay", tool_version="1", tier="informational", required=2)

        assert needs_two(signed, [tool("1", "C")])


class TestWhatComesNext:
    @pytest.mark.parametrize(
        ("status", "looks", "words"),
        [
            ("scheduled", 0, "looks before it sends"),
            ("pending", 0, "about to look it up"),
            ("unknown_outcome", 2, "look 3 of 5"),
            ("unknown_outcome", LOOKS, "A person has to say what happened"),
            ("dead_letter", 0, "a redrive looks it up"),
            ("stopped", 0, "waits for something else"),
            ("cancelled", 0, "Its execution is over"),
        ],
    )
    def test_is_said_for_every_place_its_step_may_be_in(self, status: str, looks: int, words: str) -> None:
        doubtful = Action(tool="pay", tool_version="1", looks=looks)

        assert words in following_of(doubtful, Step(status=status, execution=Execution()), [], needs_two=False)[0]

    def test_is_a_persons_word_for_what_a_foreign_agent_sent(self) -> None:
        assert "A person has to say" in following_of(Action(tool="pay"), None, [], needs_two=False)[0]


class TestThePause:
    def test_grows_and_has_an_end(self) -> None:
        assert [pause_seconds(looks) for looks in range(1, LOOKS)] == [30, 120, 480, 1920]
        assert pause_seconds(50) == 3600
