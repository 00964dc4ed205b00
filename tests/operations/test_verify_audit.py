"""A trail that was cut, rewound, rewritten or emptied is not called whole, whoever did it and however well."""

import hashlib
import json
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from audit import events, held_rows
from audit.canonical import digest
from audit.lifecycle import database_now
from audit.models import AuditEvent, AuditStream
from audit.verify import canonical_event
from budgets.operations import Place, charge
from budgets.pricing import Usage
from tests import make

STREAM = "approval_request:x"
# Every table that refuses to be deleted from, row by row, by the trigger of the trail.
APPEND_ONLY = """
SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgfoid = 'append_only'::regproc AND tgtype & 8 = 8 ORDER BY 1
"""

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def told(unit):
    for number in range(5):
        events.record("stop.engaged", by=make.MAKER, stream=STREAM, why=str(number))


@pytest.fixture
def unit():
    return make.unit()


def sql(text, *params):
    with connection.cursor() as cursor:
        cursor.execute(text, params or None)
        return [row[0] for row in cursor.fetchall()] if cursor.description else []


@contextmanager
def as_owner(*tables):
    """Whoever owns the tables may switch their triggers off."""
    with transaction.atomic():
        for table in tables:
            sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        for table in tables:
            sql(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def verified(**options):
    out = StringIO()
    call_command("verify_audit", stdout=out, **options)
    return out.getvalue()


def broken(match, **options):
    with pytest.raises(CommandError, match=match):
        call_command("verify_audit", **options)
    last = AuditEvent.objects.filter(stream="health:audit_chain").order_by("-seq").first()
    assert last.event == "audit_chain.broken"
    assert str(last.why)
    return last.why


@pytest.fixture
def anchor(told, tmp_path):
    """Written after the five events, and kept elsewhere."""
    path = tmp_path / "anchor.json"
    verified(anchor=path)
    return path


def cut(after):
    sql("DELETE FROM audit_auditevent WHERE stream = %s AND seq > %s", STREAM, after)


def rewind(after):
    last = AuditEvent.objects.get(stream=STREAM, seq=after)
    sql("UPDATE audit_auditstream SET seq = %s, head = %s WHERE key = %s", after, last.hash, STREAM)


class TestATrail:
    def test_whose_end_was_cut_off_with_its_head_set_back_is_shorter_than_the_anchor(self, anchor):
        with as_owner("audit_auditevent"):
            cut(after=3)
        rewind(after=3)

        assert broken(f"Not as the anchor says: {STREAM} ends before event 5", since=anchor)

    def test_that_is_cut_right_after_a_good_check_has_fewer_events_than_it_had(self, told):
        verified()
        with as_owner("audit_auditevent"):
            cut(after=3)
        rewind(after=3)

        assert broken("events, and had .* some were removed")

    def test_whose_head_was_removed_is_broken(self, told):
        with as_owner("audit_auditevent", "audit_auditstream"):
            cut(after=3)
            AuditStream.objects.filter(key=STREAM).delete()

        assert broken(f"{STREAM} has events but no head")

    def test_that_lost_a_whole_stream_had_more_events_when_it_was_verified(self, told):
        verified()
        with as_owner("audit_auditevent", "audit_auditstream"):
            cut(after=0)
            AuditStream.objects.filter(key=STREAM).delete()

        assert broken("The trail has . events, and had .* when it was last verified")

    def test_that_lost_a_whole_stream_and_got_others_is_not_as_the_anchor_says(self, anchor):
        with as_owner("audit_auditevent", "audit_auditstream"):
            cut(after=0)
            AuditStream.objects.filter(key=STREAM).delete()
        for number in range(9):
            events.record("stop.engaged", by=make.MAKER, stream=f"approval_request:{number}")

        verified()
        assert broken(f"{STREAM} ends before event 5", since=anchor)

    def test_that_was_rewritten_with_all_hashes_computed_anew_is_not_as_the_anchor_says(self, anchor):
        with as_owner("audit_auditevent"):
            sql("UPDATE audit_auditevent SET actor_name = 'another' WHERE stream = %s AND seq = 2", STREAM)
            head = b""
            for event in AuditEvent.objects.filter(stream=STREAM).order_by("seq"):
                head = hashlib.sha256(head + canonical_event(event).encode()).digest()
                sql("UPDATE audit_auditevent SET hash = %s WHERE id = %s", head, event.pk)
        sql("UPDATE audit_auditstream SET head = %s WHERE key = %s", head, STREAM)

        verified()
        assert broken(f"{STREAM} has another event 5, or another before it", since=anchor)

    @pytest.mark.parametrize("time", ["infinity", "-infinity", "0044-03-15 BC", "12000-01-01"])
    def test_with_a_time_that_cannot_be_read_is_broken_there(self, told, time):
        with as_owner("audit_auditevent"):
            sql("UPDATE audit_auditevent SET at = %s WHERE stream = %s AND seq = 2", time, STREAM)

        assert broken(f"{STREAM} is broken at event 2: its time was never any clock's")

    def test_that_was_emptied_is_broken_where_anything_was_ever_done(self, told):
        with as_owner("audit_auditevent", "audit_auditstream"):
            sql("TRUNCATE audit_auditevent, audit_auditstream")

        assert broken("The trail is empty, and there are business units")

    def test_of_a_database_that_nobody_has_used_is_whole(self):
        assert verified() == "0 streams verified, none broken.\n"

    def test_whose_head_counts_otherwise_is_broken(self, told):
        sql("UPDATE audit_auditstream SET seq = 9 WHERE key = %s", STREAM)

        assert broken(f"{STREAM} ends at event 5, and its head says 9")


class TestTruncate:
    def test_is_refused_on_every_table_that_refuses_a_delete(self):
        tables = sql(APPEND_ONLY)
        assert {"audit_auditevent", "audit_auditstream", "approvals_decision", "budgets_ledgerentry"} < set(tables)
        assert len(tables) == 13

        for table in tables:
            with pytest.raises(DatabaseError, match=f"{table} is append-only: TRUNCATE refused"):
                sql(f"TRUNCATE {table} CASCADE")

    def test_of_people_does_not_take_their_decisions_with_it(self):
        with pytest.raises(DatabaseError, match="is append-only: TRUNCATE refused"):
            sql("TRUNCATE auth_user CASCADE")


class TestAnAnchor:
    def test_holds_for_a_trail_that_only_grew_and_is_replaced_by_the_next(self, anchor):
        before = json.loads(anchor.read_text())
        events.record("stop.engaged", by=make.MAKER, stream=STREAM)
        events.record("stop.engaged", by=make.MAKER, stream="approval_request:y")

        verified(since=anchor, anchor=anchor)

        after = json.loads(anchor.read_text())
        assert (before["streams"][STREAM][0], after["streams"][STREAM][0]) == (5, 6)
        assert set(after["streams"]) - set(before["streams"]) == {"approval_request:y", "health:audit_chain"}
        assert [path.name for path in anchor.parent.iterdir()] == [anchor.name]

    def test_is_sorted_and_says_when_and_a_digest_that_is_printed(self, told, tmp_path):
        said = verified(anchor=tmp_path / "anchor.json")

        anchor = json.loads((tmp_path / "anchor.json").read_text())
        assert list(anchor) == ["at", "digest", "streams", "tables", "until"]
        assert list(anchor["streams"]) == sorted(anchor["streams"])
        head = AuditStream.objects.get(key=STREAM).head
        assert anchor["streams"][STREAM] == [5, bytes(head).hex()]
        assert anchor["digest"] in said

    def test_is_not_written_of_a_broken_trail(self, anchor):
        before = anchor.read_text()
        sql("UPDATE audit_auditstream SET seq = 9 WHERE key = %s", STREAM)
        broken("its head says 9", since=anchor, anchor=anchor)

        assert anchor.read_text() == before

    def test_that_was_changed_is_refused_and_nothing_is_recorded(self, anchor):
        count = AuditEvent.objects.count()
        anchor.write_text(anchor.read_text().replace(STREAM, "approval_request:z"))

        with pytest.raises(CommandError, match="is not as it was written"):
            verified(since=anchor)
        assert AuditEvent.objects.count() == count

    def test_is_not_put_in_the_place_of_a_folder_and_leaves_nothing_there(self, told, tmp_path, monkeypatch):
        folder = tmp_path / "anchors"
        folder.mkdir()
        monkeypatch.chdir(folder)

        for place in (folder, Path()):
            with pytest.raises(CommandError, match=r"could not be written to .*: (Is a directory|.* busy)"):
                verified(anchor=place)

        assert [*tmp_path.rglob("*")] == [folder]

    @pytest.mark.parametrize(
        "text",
        ["", "[]", "{}", '{"digest": "", "streams": {"a": 1}}', '{"digest": "", "streams": {"a": [1e400, ""]}}',
         "[" * 100_000, "\udcff"],
    )  # fmt: skip
    def test_of_another_kind_is_refused(self, tmp_path, text):
        path = tmp_path / "other.json"
        path.write_bytes(text.encode(errors="surrogateescape"))

        with pytest.raises(CommandError, match="is no anchor: it was not written by verify_audit"):
            verified(since=path)

    def test_that_is_not_there_is_refused(self, tmp_path):
        with pytest.raises(CommandError, match="cannot be read: No such file"):
            verified(since=tmp_path / "none.json")

    def test_names_the_first_streams_and_counts_the_others(self, told, tmp_path):
        path = tmp_path / "anchor.json"
        names = [f"approval_request:{number}" for number in range(7)]
        for name in names:
            events.record("stop.engaged", by=make.MAKER, stream=name)
        verified(anchor=path)
        with as_owner("audit_auditevent", "audit_auditstream"):
            sql("DELETE FROM audit_auditevent WHERE stream = ANY (%s)", names)
            AuditStream.objects.filter(key__in=names).delete()
        for number in range(9):
            events.record("stop.engaged", by=make.MAKER, stream=f"stop:{number}")

        assert "approval_request:4 ends before event 1; 2 more streams differ." in broken("Not as", since=path)


@pytest.fixture
def signed(unit):
    """A decision and what its reading cost: rows whose words and amounts are in no event."""
    approval = make.approved(make.request(), make.person("grace", "view", "review", of=unit))
    return approval, charge(Usage(model="m", cost=Decimal(3), currency="EUR"), Place(unit_id=unit.pk))


@pytest.fixture
def held(signed, tmp_path, monkeypatch):
    """What was just made is old enough for the anchor."""
    monkeypatch.setattr(held_rows, "MARGIN", -timedelta(minutes=1))
    path = tmp_path / "anchor.json"
    verified(anchor=path)
    return path


class TestRowsThatAreNeverChanged:
    @pytest.mark.parametrize(
        ("table", "change"),
        [
            ("approvals_decision", "note = 'seen'"),
            ("approvals_decision", "person_name = 'another'"),
            ("approvals_decision", "at = at - interval '1 day'"),
            ("budgets_ledgerentry", "amount = 30"),
            ("budgets_ledgerentry", "model = 'another'"),
        ],
    )
    def test_that_were_changed_are_named_by_table_and_day(self, held, table, change):
        with as_owner(table):
            sql(f"UPDATE {table} SET {change}")

        verified()
        assert broken(rf"{table} says something else in its 1 rows of {today()} than it did", since=held)

    def test_that_were_removed_are_missed(self, held):
        with as_owner("budgets_ledgerentry"):
            sql("SET CONSTRAINTS ALL IMMEDIATE; DELETE FROM budgets_ledgerentry")

        assert broken(f"budgets_ledgerentry has 0 rows of {today()}, and had 1", since=held)

    def test_that_were_written_among_them_later_are_noticed(self, held, unit):
        charge(Usage(model="m", cost=Decimal(3), currency="EUR"), Place(unit_id=unit.pk))

        assert broken(f"budgets_ledgerentry has 2 rows of {today()}, and had 1", since=held)

    def test_that_are_not_kept_any_more_are_told(self, held):
        sql("ALTER TABLE approvals_decision DISABLE TRIGGER approvals_decision_append_only")
        try:
            assert broken("approvals_decision may be changed: the trigger .* is gone or switched off", since=held)
        finally:
            sql("ALTER TABLE approvals_decision ENABLE TRIGGER approvals_decision_append_only")

    def test_hold_when_others_follow(self, signed, tmp_path):
        verified(anchor=tmp_path / "anchor.json")
        charge(Usage(model="m", cost=Decimal(3), currency="EUR"), Place(unit_id=signed[1].unit_id))

        verified(since=tmp_path / "anchor.json")

    def test_are_none_of_an_anchor_of_a_version_before(self, held):
        told = json.loads(held.read_text())
        del told["tables"], told["until"], told["digest"]
        held.write_text(json.dumps({**told, "digest": digest(told)}))

        verified(since=held)


class TestARowThatMoves:
    def test_beside_the_trail_is_named_with_what_its_events_say(self, signed):
        with as_owner("approvals_approvalrequest"):
            sql("UPDATE approvals_approvalrequest SET status = 'rejected'")

        pk = signed[0].pk
        assert broken(f"The approval request {pk} is rejected, and the last its events say of it is approved")


def today():
    return database_now().date()
