"""What happens next: a table of situations, each a graph and where its steps stand."""

import time
from typing import Any

import pytest

from orchestrator.workflows.plan import Plan, plan
from orchestrator.workflows.spec import StepSpec, WorkflowSpec

CHAIN = ("a", "b needs a", "c needs b")
DIAMOND = ("a", "b needs a", "c needs a", "d needs b c")
RESCUED = ("a", "b needs a else f", "f for b", "c needs b")
LETTERS = {
    "p": "pending", "i": "in_progress", "s": "success", "x": "business_error", "d": "dead_letter", "k": "skipped",
    "w": "awaiting_approval", "r": "scheduled", "u": "unknown_outcome", "h": "budget_hold", "c": "cancelled", "e": "system_error",
}  # fmt: skip


def spec_of(*lines: str, **whens: str) -> WorkflowSpec:
    """Steps written as `d needs b c else f`; a fallback as `f for d`."""
    return WorkflowSpec("w", "1", tuple(_step(line, whens, lines) for line in lines))


def _step(line: str, whens: dict[str, str], lines: tuple[str, ...]) -> StepSpec:
    key, _, rest = line.partition(" ")
    if rest.startswith("for "):
        guarded = _step(next(other for other in lines if other.split()[0] == rest[4:]), whens, lines)
        return StepSpec(key, "agent", needs=guarded.needs, stands_in_for=rest[4:])
    needs, _, fallback = rest.removeprefix("needs ").partition("else ")
    return StepSpec(
        key,
        "agent",
        needs=tuple(needs.split()),
        on_error=fallback or "fail",
        when=whens.get(key),
        gives=("n",),
        variables={"n": "dyn", "input": "map", "steps": "map"},
    )


def following(
    lines: tuple[str, ...], states: str, outputs: dict[str, dict[str, Any]] | None = None, **whens: str
) -> Plan:
    spec = spec_of(*lines, **whens)
    keys = [step.key for step in spec.steps]
    return plan(spec, dict(zip(keys, [LETTERS[letter] for letter in states], strict=True)), outputs or {}, {"n": 1})


class TestReady:
    @pytest.mark.parametrize(
        ("lines", "states", "ready"),
        [
            (CHAIN, "ppp", ("a",)),
            (CHAIN, "ipp", ()),
            (CHAIN, "spp", ("b",)),
            (CHAIN, "ssp", ("c",)),
            (DIAMOND, "sppp", ("b", "c")),
            (DIAMOND, "sspp", ("c",)),
            (DIAMOND, "ssip", ()),
            (DIAMOND, "sssp", ("d",)),
            (DIAMOND, "sskp", ("d",)),
            (("a", "b"), "pp", ("a", "b")),
            (DIAMOND, "sxpp", ("c",)),
            (DIAMOND, "sdsp", ()),
        ],
    )
    def test_is_what_has_everything_it_needs(self, lines: tuple[str, ...], states: str, ready: tuple[str, ...]) -> None:
        assert following(lines, states).ready == ready

    @pytest.mark.parametrize("waiting", "irwuhe")
    def test_waits_for_whatever_is_under_way(self, waiting: str) -> None:
        found = following(CHAIN, f"{waiting}pp")

        assert found == Plan()


class TestSkipped:
    def test_is_a_step_whose_condition_does_not_hold(self) -> None:
        found = following(DIAMOND, "sppp", b="n > 5")

        assert found == Plan(ready=("c",), skipped=(("b", "`when: n > 5` does not hold"),))

    def test_is_a_step_that_needs_only_skipped_ones(self) -> None:
        found = following(CHAIN, "ppp", a="n > 5")

        assert [key for key, _ in found.skipped] == ["a", "b", "c"]
        assert found.skipped[1][1] == "everything it needs was skipped"
        assert found.finished == "succeeded"

    def test_is_never_a_join_that_has_one_success(self) -> None:
        assert following(DIAMOND, "sksp").ready == ("d",)

    def test_leaves_a_condition_unasked_until_everything_before_has_ended(self) -> None:
        assert following(CHAIN, "ipp", b="n > 5") == Plan()

    def test_sees_what_steps_gave(self) -> None:
        assert following(CHAIN, "spp", {"a": {"n": 9}}, b="n > 5").ready == ("b",)


class TestErrors:
    def test_are_conditions_that_cannot_be_evaluated(self) -> None:
        found = following(CHAIN, "spp", {"a": {"n": "many"}}, b="n > 5")

        assert found.ready == ()
        assert found.errors == (("b", "`when: n > 5` could not be evaluated: `>` does not take (string, int)"),)
        assert found.finished == "failed"

    def test_call_the_fallback_like_any_failure(self) -> None:
        found = following(RESCUED, "sppp", {"a": {"n": None}}, b="n > 5")

        assert ([key for key, _ in found.errors], found.ready, found.finished) == (["b"], ("f",), None)


class TestFallback:
    @pytest.mark.parametrize(
        ("states", "ready", "skipped", "finished"),
        [
            ("sppp", ("b",), (), None),
            ("sipp", (), (), None),
            ("sxpp", ("f",), (), None),
            ("sdpp", ("f",), (), None),
            ("sxip", (), (), None),
            ("sxsp", ("c",), (), None),
            ("sxss", (), (), "succeeded"),
            ("sspp", ("c",), ("f",), None),
            ("skpp", (), ("f", "c"), "succeeded"),
            ("sskp", ("c",), (), None),
            ("swpp", (), (), None),
            ("sxxp", (), (), "failed"),
            ("sxdp", (), (), "dead_lettered"),
            ("xppp", (), (), "failed"),
            ("scpp", (), (), "cancelled"),
        ],
    )
    def test_stands_in_for_the_step_that_failed(
        self, states: str, ready: tuple[str, ...], skipped: tuple[str, ...], finished: str | None
    ) -> None:
        found = following(RESCUED, states)

        assert (found.ready, tuple(key for key, _ in found.skipped), found.finished) == (ready, skipped, finished)

    def test_can_have_a_fallback_of_its_own(self) -> None:
        lines = ("a else f", "f for a", "g for f", "c needs a")
        steps = {step.key: step for step in spec_of(*lines).steps}
        steps["f"] = StepSpec("f", "agent", stands_in_for="a", on_error="g")
        spec = WorkflowSpec("w", "1", tuple(steps.values()))

        states = {"a": "business_error", "f": "dead_letter", "g": "pending", "c": "pending"}

        assert plan(spec, states, {}, {}).ready == ("g",)
        assert plan(spec, {**states, "g": "success"}, {}, {}).ready == ("c",)

    def test_is_none_where_a_person_said_no(self) -> None:
        """A release of old may name one; the reader refuses it today."""
        sign = StepSpec("sign", "approval", on_error="f")
        spec = WorkflowSpec(
            "w", "1", (sign, StepSpec("f", "tool", stands_in_for="sign"), StepSpec("c", "tool", needs=("sign",)))
        )

        found = plan(spec, {"sign": "business_error", "f": "pending", "c": "pending"}, {}, {})

        assert (found.ready, [key for key, _ in found.skipped], found.finished) == ((), ["f"], "failed")


class TestFinished:
    @pytest.mark.parametrize(
        ("states", "finished"),
        [
            ("ssss", "succeeded"),
            ("sksk", "succeeded"),
            ("sssi", None),
            ("xppp", "failed"),
            ("dppp", "dead_lettered"),
            ("cppp", "cancelled"),
            ("sxip", None),  # the other branch runs to its end
            ("sxwp", None),
            ("sxsp", "failed"),
            ("sdsp", "dead_lettered"),
            ("sxdp", "failed"),  # no redrive can mend it
            ("sdcp", "dead_lettered"),
            ("sssx", "failed"),
        ],
    )
    def test_is_said_when_nothing_can_start_and_nothing_is_under_way(self, states: str, finished: str | None) -> None:
        assert following(DIAMOND, states).finished == finished


class TestCost:
    def test_grows_with_the_steps_and_not_with_their_square(self) -> None:
        def seconds(count: int) -> float:
            lines = ["s0", *(f"s{n} needs s{n - 1}" for n in range(1, count))]
            spec, states = (
                spec_of(*lines),
                {f"s{n}": "success" for n in range(count - 1)} | {f"s{count - 1}": "pending"},
            )
            plan(spec, states, {}, {})
            times = []
            for _ in range(20):
                began = time.perf_counter()
                plan(spec, states, {}, {})
                times.append(time.perf_counter() - began)
            return min(times)

        assert seconds(200) < 12 * seconds(40)
