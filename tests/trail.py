"""Does the trail agree with the rows? Asked of the database itself, which keeps its own list while tests run.

A trigger of the test database writes down every change of a status column, whoever made it. `assert_whole` compares
that list with the audit events, both ways, and recomputes every chain.
"""

from itertools import groupby

from django.db import connection

from audit.models import AuditEvent, AuditStream
from audit.verify import first_break

# Table -> the noun of its events.
NOUNS = {
    "orchestrator_execution": "execution",
    "orchestrator_step": "step",
    "orchestrator_attempt": "attempt",
    "orchestrator_action": "action",
    "orchestrator_deadletter": "dead_letter",
    "orchestrator_failuregroup": "failure_group",
    "orchestrator_operation": "operation",
    "orchestrator_operationitem": "operation_item",
    "approvals_approvalrequest": "approval_request",
    "approvals_stop": "stop",
    "approvals_breakglass": "break_glass",
    "approvals_secondlook": "second_look",
    "approvals_seededitem": "seeded_item",
    "approvals_evaluationcase": "evaluation_case",
}
# Born inside another event: steps with their execution, attempts with the claim of their step, items with their operation.
BORN_QUIETLY = ("step", "attempt", "operation_item")

WITNESS = """
CREATE TABLE IF NOT EXISTS test_witness (noun text, id uuid, before text, after text);
CREATE OR REPLACE FUNCTION test_witnessed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO test_witness VALUES (TG_ARGV[0], NEW.id, '', NEW.status);
  ELSIF NEW.status IS DISTINCT FROM OLD.status THEN
    INSERT INTO test_witness VALUES (TG_ARGV[0], NEW.id, OLD.status, NEW.status);
  END IF;
  RETURN NULL;
END $$;
"""
SEEN = """SELECT noun, id, before, after FROM test_witness WHERE NOT (before = '' AND noun = ANY (%s))"""
TOLD = """SELECT split_part(event, '.', 1), object_id, before, after FROM audit_auditevent
          WHERE split_part(event, '.', 1) = ANY (%s) AND after <> ''"""
CLAIMED = """SELECT id FROM test_witness WHERE noun = 'attempt' AND before = ''"""
CLAIMS_TOLD = """SELECT (data::json ->> 'attempt')::uuid FROM audit_auditevent WHERE event = 'step.in_progress'"""


def install() -> None:
    """Put the witness into the test database, where it stays, and start a new list."""
    installed = {table for (table,) in _rows("SELECT tgrelid::regclass FROM pg_trigger WHERE tgname = 'test_witness'")}
    if installed != set(NOUNS):
        _run(WITNESS)
        for table, noun in NOUNS.items():
            _run(
                f"CREATE OR REPLACE TRIGGER test_witness AFTER INSERT OR UPDATE OF status ON {table} "
                f"FOR EACH ROW EXECUTE FUNCTION test_witnessed('{noun}')"
            )
    forget()


def forget() -> None:
    """Start a new list."""
    _run("DELETE FROM test_witness")


def assert_whole() -> int:
    """Every status change has exactly one event and every event its change; every chain holds. How many changes."""
    seen = _rows(SEEN, [list(BORN_QUIETLY)])
    told = _rows(TOLD, [list(NOUNS.values())])
    assert sorted(seen) == sorted(told)
    assert sorted(_rows(CLAIMED)) == sorted(_rows(CLAIMS_TOLD))
    assert_chains_hold()
    return len(seen)


def assert_chains_hold() -> None:
    heads = dict(AuditStream.objects.values_list("key", "head"))
    events = AuditEvent.objects.order_by("stream", "seq").iterator()
    for stream, chain in groupby(events, key=lambda event: event.stream):
        assert first_break(stream, chain, heads.pop(stream)) is None
    assert not heads


def story(execution_id: object, *nouns: str) -> list[str]:
    """The events of one execution in order, by name: what an auditor would read."""
    events = AuditEvent.objects.filter(stream=f"execution:{execution_id}").order_by("seq")
    return [event.event for event in events if not nouns or event.event.partition(".")[0] in nouns]


def _run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _rows(query: str, parameters: list[object] | None = None) -> list[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return [tuple(map(str, row)) for row in cursor.fetchall()]
