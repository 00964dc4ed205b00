"""The demo is loaded at every start of `make run`, and leaves alone what people have made of it since."""

import json
from pathlib import Path

import pytest
from django.core.management import call_command

from approvals.models import ApprovalPolicy
from audit.actors import system
from orchestrator.models import Execution, Release
from orchestrator.operations.registry import import_policies

POLICIES = Path(__file__).parents[2] / "examples" / "reconciliation" / "policies.json"


@pytest.mark.django_db
class TestTheDemo:
    def test_leaves_what_administrators_have_activated_since(self):
        call_command("demo")
        stricter = [
            {**item, "condition": "double(args.amount) > 50.0"}
            for item in json.loads(POLICIES.read_text())
            if item["name"] == "adjustment-large"
        ]
        import_policies(stricter, by=system("administrators"), file="theirs")

        call_command("demo")

        in_force = ApprovalPolicy.objects.active().get(name="adjustment-large")
        assert in_force.condition == "double(args.amount) > 50.0"

    def test_adds_nothing_the_second_time(self):
        call_command("demo")
        before = (Release.objects.count(), ApprovalPolicy.objects.count(), Execution.objects.count())

        call_command("demo")

        assert (Release.objects.count(), ApprovalPolicy.objects.count(), Execution.objects.count()) == before
