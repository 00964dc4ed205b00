"""What the examples promise in JSON: handlers that exist, policies that ask for as many people as told."""

from __future__ import annotations

import csv
from collections import Counter
from typing import Any

import pytest
from cel_expr_python import cel

from tests.unit.example_world import EXAMPLES, contracts, load

handlers = load("reconciliation", "handlers")

Fields = dict[str, Any]


class TestContracts:
    @pytest.mark.parametrize("folder", ["reconciliation", "support_case_resolution"])
    def test_name_functions_that_exist(self, folder: str) -> None:
        module = load(folder, "handlers")
        items = [*contracts(module, "tools"), *contracts(module, "agents")]
        entries = [item[role] for item in items for role in ("entry", "probe", "record") if item.get(role)]

        assert all(callable(getattr(module, entry.removeprefix("handlers:"))) for entry in entries)

    @pytest.mark.parametrize(
        ("amount", "customer_facing", "people"),
        [
            ("1000.00", False, 0),
            ("1000.01", False, 2),
            ("0.02", True, 1),
            ("1000.00", True, 1),
            ("4860.00", True, 2),
        ],
    )
    def test_policies_ask_for_as_many_people_as_the_story_says(
        self, amount: str, customer_facing: bool, people: int
    ) -> None:
        facts = {"args": {"amount": amount, "customer_facing": customer_facing}}
        hits = [policy for policy in contracts(handlers, "policies") if _holds(policy, facts)]

        assert hits, "every adjustment must be covered by a policy that says why"
        assert max(policy["required"] for policy in hits) == people

    def test_samples_share_no_reference(self) -> None:
        paths = [
            *(EXAMPLES / "reconciliation/data").glob("*.csv"),
            *(EXAMPLES / "reconciliation/data/small").glob("*.csv"),
        ]
        seen = Counter(row["reference"] for path in paths for row in csv.DictReader(path.read_text().splitlines()))

        assert len(seen) == 25 + 18 + 4 + 1
        assert set(seen.values()) == {1}


def _holds(policy: Fields, facts: Fields) -> bool:
    condition = cel.NewEnv(variables={"args": cel.Type.DYN}).compile(policy["condition"])
    verdict = condition.eval(data=facts).value()
    assert isinstance(verdict, bool), verdict
    return verdict
