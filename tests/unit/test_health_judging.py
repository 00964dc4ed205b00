"""From figures to state words, without a database: the edges of the limits, and that nothing unknown is ever good."""

from uuid import UUID

import pytest
from django.conf import settings

from config import env
from orchestrator.health.judging import FIGURES, overall, tiles, values_of
from orchestrator.health.readings import STATEMENTS, Readings
from orchestrator.health.runbook import RUNBOOK

UNIT = UUID(int=1)
OTHER = UUID(int=2)
HOST = {
    "host": "h", "pid": 1, "beat_age": 1.0, "swept_age": 1.0, "stands_still": False, "restarts": 0, "restarted_at": None,
    "restarted_why": "", "clock_skew_seconds": 0.01,
}  # fmt: skip
WELL = {
    "queue_age": {}, "leases": {}, "dead_letters": {}, "approvals": {}, "hosts": [HOST],
    "notices": {"value": 0, "waiting": 0, "failing": 0}, "webhooks": {"value": 0, "waiting": 0, "failing": 0},
    "database": {"value": 0.002, "size": 1, "replicas": 0}, "connections": {"value": 3, "used": 3, "most": 100},
    "trace_export": {"value": 1, "failures": 0, "sent": 7, "aside": 0, "refused": None}, "transaction": {"value": 0},
    "audit_chain": {"value": 60, "event": "audit_chain.verified", "why": ""},
    "backup": {"value": 60, "event": "backup.reported", "why": "nightly"},
}  # fmt: skip


def judge(units=frozenset({UNIT}), machine=True, faults=None, **found):
    readings = Readings({**WELL, **found}, faults or {})
    return {tile.key: tile for tile in tiles(readings, settings.HEALTH_LIMITS, units=units, machine=machine)}


class TestEveryFigure:
    def test_is_good_on_a_machine_that_is_well(self):
        assert {tile.state for tile in judge().values()} == {"good"}

    def test_is_unknown_and_never_good_when_it_could_not_be_read(self):
        faults = dict.fromkeys([*STATEMENTS, "database"], "Could not be read.")

        assert {tile.state for tile in judge(faults=faults).values()} == {"unknown"}

    def test_has_limits_a_runbook_and_a_statement(self):
        keys = {figure.key for figure in FIGURES}

        assert keys == set(settings.HEALTH_LIMITS) == set(RUNBOOK)
        assert {figure.reading for figure in FIGURES} <= {*STATEMENTS, "database"}

    @pytest.mark.parametrize(
        "key", ["notices", "webhooks", "trace_export", "database", "connections", "transaction", "backup"]
    )
    def test_is_good_at_its_limit_degraded_above_it_and_down_above_the_second(self, key):
        degraded, down = settings.HEALTH_LIMITS[key]
        states = [
            judge(**{key: WELL[key] | {"value": value}})[key].state
            for value in (degraded, degraded + 1e-6, down, down + 1e-6)
        ]

        assert states == ["good", "degraded", "degraded", "down"]


class TestTheWhole:
    def test_is_its_worst_part_and_unknown_is_not_good(self):
        bad = {"value": 10**6, "waiting": 1, "failing": 1}
        fault = {"webhooks": "Could not be read."}

        assert overall([*judge().values()]) == "good"
        assert overall([*judge(faults=fault).values()]) == "unknown"
        assert overall([*judge(faults=fault, notices={**bad, "value": 61}).values()]) == "degraded"
        assert overall([*judge(faults=fault, notices=bad).values()]) == "down"
        assert overall([]) == "unknown"


class TestUnits:
    def test_of_others_count_for_the_queue_of_the_machine_and_for_nothing_else(self):
        late = {str(OTHER): {"value": 100, "due": 1, "waiting": 1, "overdue": 1}}

        assert judge(queue_age=late)["queue_age"].state == "down"
        assert judge(queue_age=late, machine=False)["queue_age"].state == "good"
        assert judge(approvals=late)["approvals"].state == "good"

    def test_that_nobody_sees_make_their_figures_unknown(self):
        assert judge(units=frozenset(), machine=False)["approvals"].state == "unknown"


class TestAHost:
    def test_that_is_silent_says_nothing_of_its_clock_or_cluster(self):
        silent = judge(hosts=[HOST | {"beat_age": 99.0}])

        assert (silent["workers"].state, silent["clusters"].state, silent["clock"].state) == (
            "down",
            "unknown",
            "unknown",
        )

    def test_that_never_swept_is_nobody_who_sweeps(self):
        assert judge(hosts=[HOST | {"swept_age": None}])["sweep"].state == "down"


class TestASample:
    def test_leaves_out_what_was_not_read_and_units_that_have_nothing(self):
        kept = values_of(
            Readings({"queue_age": {str(UNIT): {"value": 2.0}, str(OTHER): {"value": 0}}, "hosts": []}),
            settings.HEALTH_LIMITS,
        )

        assert kept == {"queue_age": {str(UNIT): 2.0}}


class TestTheDocs:
    @pytest.mark.parametrize("key", sorted(RUNBOOK))
    def test_say_what_the_page_says(self, key):
        text = (settings.BASE_DIR / "docs/health.md").read_text()
        tile, entry = judge()[key], RUNBOOK[key]

        section = " ".join(text.split(f"### {tile.title} (`{key}`)")[1].split("###")[0].split())

        for sentence in (entry.says, f"{tile.limit}. {entry.why}", entry.do, entry.command):
            assert sentence in section


class TestLimits:
    DEFAULT = {"queue_age": (10.0, 60.0), "clock": (2.0, 60.0)}

    def test_are_changed_one_by_one(self, monkeypatch):
        monkeypatch.setenv("HEALTH_LIMITS", "clock=1:5")

        assert env.limits("HEALTH_LIMITS", self.DEFAULT) == {"queue_age": (10, 60), "clock": (1, 5)}

    @pytest.mark.parametrize("text", ["clock", "clock=5", "clock=5:1", "clock=a:b", "clocks=1:5", "clock=-1:5", "clock=1:inf",
                                      "clock=nan:5"])  # fmt: skip
    def test_that_make_no_sense_are_refused_with_what_a_right_one_looks_like(self, monkeypatch, text):
        monkeypatch.setenv("HEALTH_LIMITS", text)

        with pytest.raises(env.ImproperlyConfigured, match="HEALTH_LIMITS=queue_age=10:60"):
            env.limits("HEALTH_LIMITS", self.DEFAULT)
