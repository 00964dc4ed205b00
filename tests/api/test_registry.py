"""Importing tools, agents and policies: idempotent, all or nothing, every error at once."""

import json

import pytest
from django.core.management import CommandError, call_command

from approvals.models import ApprovalPolicy
from audit.actors import agent, person, system
from audit.definitions import retire
from audit.models import AuditEvent
from audit.refusals import Forbidden
from orchestrator.models import Agent, Tool
from orchestrator.operations.registry import ImportRefused, import_agents, import_policies, import_tools

IMPORTER = system("import")
READ = {"name": "orders.get", "version": "1", "effect": "read", "tier": "informational"}
WRITE = {
    "name": "orders.cancel",
    "version": "1",
    "effect": "write",
    "tier": "customer_facing",
    "input_schema": {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]},
    "probe": None,
    "business_key": "args.order",
}
POLICY = {"name": "large-refunds", "reason": "Large refunds need a second look", "tool": "orders.cancel"}


def tools(*items):
    return import_tools(list(items), by=IMPORTER, file="tools.json")


def refusal(verb, items):
    with pytest.raises(ImportRefused) as caught:
        verb(items, by=IMPORTER, file="f.json")
    return caught.value.lines


@pytest.mark.django_db
class TestImportTools:
    def test_puts_new_tools_in_force(self):
        done = tools(READ, WRITE)

        assert done.created == ("orders.get 1", "orders.cancel 1")
        assert Tool.objects.active().count() == 2
        assert Tool.objects.get(name="orders.cancel").probe == ""

    def test_changes_nothing_the_second_time(self):
        tools(READ, WRITE)
        events = AuditEvent.objects.count()

        done = tools(WRITE, READ)

        assert (done.created, done.unchanged) == ((), ("orders.cancel 1", "orders.get 1"))
        assert AuditEvent.objects.count() == events

    def test_refuses_other_content_under_the_same_version(self):
        tools(READ)

        lines = refusal(import_tools, [{**READ, "tier": "financial", "effect": "write"}])

        assert "f.json: item 1 (orders.get): tier: It differs from what is registered as orders.get 1. " in lines[1]
        assert lines[0].endswith("Give the tool a new version.")

    def test_a_field_that_disappears_is_a_change(self):
        tools({**READ, "owner": "ada"})

        assert "owner" in refusal(import_tools, [READ])[0]

    def test_a_new_version_retires_the_one_before(self):
        tools(READ)
        tools({**READ, "version": "2", "tier": "customer_facing"})

        assert [(tool.version, tool.status) for tool in Tool.objects.order_by("version")] == [
            ("1", "retired"),
            ("2", "active"),
        ]

    def test_a_retired_version_does_not_come_back(self):
        tools(READ)
        tools({**READ, "version": "2"})

        assert "retired" in refusal(import_tools, [READ])[0]

    def test_names_every_fault_of_the_file_and_imports_nothing(self):
        lines = refusal(
            import_tools,
            [
                READ,
                {"name": "a", "version": "1", "effect": "wirte", "tier": "informational", "efect": "read"},
                {"version": "1", "effect": "read", "tier": "informational"},
                "orders.get",
                {**READ, "version": "7"},
                {**WRITE, "name": "b", "input_schema": {"type": "objekt"}},
                {**WRITE, "name": "c", "compensate_with": "orders.restore"},
                {**WRITE, "name": "d", "entry": "rm -rf"},
                {**WRITE, "name": "e", "egress": ["erp.bank.example", "https://evil.example"]},
                {**WRITE, "name": "f", "input_schema": {"$ref": "https://evil.example/order.json"}},
                {**WRITE, "name": "g", "compensate_with": "g"},
                {**WRITE, "name": "h", "compensate_with": "orders.get"},
            ],
        )

        assert "item 2 (a): efect: There is no such field. Did you mean effect?" in "\n".join(lines)
        assert "item 2 (a): effect: 'wirte' is not a choice. Use one of: read, write, irreversible." in "\n".join(lines)
        assert "f.json: item 3: name: The field is missing. Add it." in lines
        assert any(line.startswith("f.json: item 4: 'orders.get' is not of type 'object'") for line in lines)
        assert any("item 5 (orders.get): name: This name is in the file twice" in line for line in lines)
        assert any("item 6 (b): input_schema.type: Not a JSON Schema" in line for line in lines)
        assert any("item 7 (c): compensate_with: There is no tool 'orders.restore'" in line for line in lines)
        assert any("item 8 (d): entry:" in line for line in lines)
        assert any("item 9 (e): egress: “https://evil.example” names no host" in line for line in lines)
        assert any("item 10 (f): input_schema: The reference" in line for line in lines)
        assert any("item 11 (g): compensate_with: A tool cannot take back its own effect" in line for line in lines)
        assert any("item 12 (h): compensate_with: A tool that only reads takes nothing back" in line for line in lines)
        assert Tool.objects.count() == 0

    def test_refuses_an_undo_by_a_registered_tool_that_only_reads(self):
        tools(READ)

        (line,) = refusal(import_tools, [{**WRITE, "compensate_with": "orders.get"}])

        assert "compensate_with: A tool that only reads takes nothing back. Name the tool that does" in line

    @pytest.mark.parametrize("items", [{}, "x", None, 3])
    def test_refuses_what_is_not_a_list(self, items):
        assert "JSON list" in refusal(import_tools, items)[0]

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"name": "orders.get\n"}, "Use letters, digits and _ . : / -, without blanks."),
            ({"version": "1\n"}, "Write a version such as 1.0.0, on one line."),
            ({"version": " "}, "Write a version such as 1.0.0, on one line."),
            ({"entry": "handlers:look\n"}, "entry: "),
        ],
    )
    def test_refuses_what_would_look_like_another_name_or_version(self, change, says):
        (line,) = refusal(import_tools, [{**READ, **change}])

        assert says in line

    def test_a_persons_import_only_drafts(self, owner):
        import_tools([READ], by=person(owner.pk, "owner"), file="f.json")

        assert Tool.objects.get().status == "draft"

    def test_refuses_an_agent(self):
        with pytest.raises(Forbidden):
            import_tools([READ], by=agent("a", unit_ids=frozenset(), scopes=frozenset()), file="f.json")


@pytest.mark.django_db
class TestImportAgents:
    def test_finds_owner_and_unit_by_name(self, unit, owner):
        tools(READ)
        item = {"name": "triage", "owner": "owner", "unit": "support", "allowed_tools": ["orders.get"]}

        import_agents([item], by=IMPORTER, file="f.json")
        again = import_agents([item], by=IMPORTER, file="f.json")

        stored = Agent.objects.active().get()
        assert (stored.owner, stored.unit_id, stored.version) == (owner, unit.pk, 1)
        assert again.unchanged == ("triage v1",)

    def test_changed_content_is_the_next_version(self, unit, owner):
        item = {"name": "triage", "owner": "owner", "unit": "support"}
        import_agents([item], by=IMPORTER, file="f.json")

        import_agents([{**item, "runbook": "Call."}], by=IMPORTER, file="f.json")

        assert Agent.objects.active().get().version == 2

    def test_a_retired_agent_comes_back_as_the_next_version(self, unit, owner):
        item = {"name": "triage", "owner": "owner", "unit": "support"}
        import_agents([item], by=IMPORTER, file="f.json")
        retire(Agent.objects.get(), by=IMPORTER)

        again = import_agents([item], by=IMPORTER, file="f.json")

        assert Agent.objects.active().get().version == 2
        assert again.told == ("triage v2 is in force again: triage v1 had been retired.",)

    def test_names_what_it_cannot_find(self, unit):
        tools(READ)

        lines = refusal(
            import_agents,
            [{"name": "triage", "owner": "nobody", "unit": "suport", "allowed_tools": ["orders.gets", "*"]}],
        )

        assert [line.split(": ")[2] for line in lines] == ["allowed_tools", "owner", "unit"]
        assert "Did you mean orders.get?" in lines[0]


@pytest.mark.django_db
class TestImportPolicies:
    def test_changed_content_is_the_next_version_and_replaces_the_old(self, unit):
        import_policies([POLICY], by=IMPORTER, file="f.json")
        import_policies([POLICY], by=IMPORTER, file="f.json")
        import_policies([{**POLICY, "required": 2, "unit": "support"}], by=IMPORTER, file="f.json")

        active = ApprovalPolicy.objects.active().get()
        assert (active.version, active.required, active.unit_id) == (2, 2, unit.pk)

    def test_refuses_a_condition_that_does_not_compile(self):
        lines = refusal(import_policies, [{**POLICY, "condition": "args.amount > ("}])

        assert lines[0].startswith("f.json: item 1 (large-refunds): condition: ")

    def test_refuses_three_signatures(self):
        assert "required" in refusal(import_policies, [{**POLICY, "required": 3}])[0]

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"needs": [{"groups": ["risk"], "count": 1}]}, "needs: There is no group “risk” in force"),
            ({"needs": [{"groups": [], "count": 1}]}, "needs.0.groups: "),
            ({"calendar": "office"}, "calendar: There is no calendar “office” in force"),
            ({"on_timeout": "escalate"}, "escalate_to: Say which group is asked next"),
            ({"on_timeout": "approve"}, "on_timeout: 'approve' is not a choice"),
            ({"reason_codes": ["because"]}, "reason_codes.0: 'because' is not a choice"),
        ],
    )
    def test_refuses_what_a_policy_refers_to_and_is_not_in_force(self, change, says):
        (line,) = refusal(import_policies, [{**POLICY, **change}])

        assert says in line
        assert not ApprovalPolicy.objects.exists()


@pytest.mark.django_db
class TestImportCommands:
    def test_say_what_they_did(self, tmp_path, capsys):
        file = tmp_path / "tools.json"
        file.write_text(json.dumps([READ, WRITE]))

        call_command("import_tools", str(file))
        call_command("import_tools", str(file))

        assert capsys.readouterr().out.splitlines() == [
            "  + orders.get 1",
            "  + orders.cancel 1",
            f"{file}: 2 tools imported, 0 unchanged.",
            f"{file}: 0 tools imported, 2 unchanged.",
        ]

    def test_doubt_a_policy_about_a_tool_that_nobody_has_registered(self, tmp_path, capsys):
        tools(READ, WRITE)
        file = tmp_path / "policies.json"
        file.write_text(json.dumps([{**POLICY, "tool": "orders.cancle"}, {**POLICY, "name": "all", "tool": "*"}]))

        call_command("import_policies", str(file))

        (told,) = capsys.readouterr().err.splitlines()
        says = (
            "The policy large-refunds v1 is about orders.cancle, which is no tool here: it holds no call. Did you mean"
        )
        assert told == f"{says} `orders.cancel`?"

    @pytest.mark.parametrize("text", ['[{"name": "a", "name": "b"}]', "[", "\x00", '[{"name": "a"}]'])
    def test_refuse_a_bad_file(self, tmp_path, text):
        file = tmp_path / "tools.json"
        file.write_text(text)

        with pytest.raises(CommandError, match=r"tools\.json"):
            call_command("import_tools", str(file))
