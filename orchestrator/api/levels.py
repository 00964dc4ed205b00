"""`kpis/`: the figures of the page of service levels, for a range of time."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit import scope
from audit.lifecycle import database_now
from budgets.units import below
from orchestrator.api.base import ApiView, actor_of, either
from orchestrator.api.lists import BadParameter, choice, refuse_unknown_parameters, unit, value_of, when
from orchestrator.health.levels import COUNTS, GROUPS, TIMES, Level, Span, judged, levels
from orchestrator.health.ranges import Ranges
from orchestrator.health.refused import KINDS as REFUSALS
from orchestrator.health.refused import refused
from orchestrator.health.resolution import KINDS, resolutions
from orchestrator.health.stages import STAGES

DAYS, MOST_DAYS = 7, 92
READERS = {"since": when, "until": when, "unit": unit, "by": choice(*GROUPS)}
PARAMETERS = [
    OpenApiParameter("since", str, description=f"RFC 3339; default: {DAYS} days before `until`"),
    OpenApiParameter("until", str, description=f"RFC 3339; default: now. At most {MOST_DAYS} days after `since`"),
    OpenApiParameter("unit", str, description="A unit's short name, with everything below it"),
    OpenApiParameter("by", str, enum=list(GROUPS), description="What the lines are. Default: workflow"),
]


class StageShape(serializers.Serializer[Any]):
    """Where the time of a success went. Seconds, and per cent of all the time of the line."""

    median = serializers.FloatField(allow_null=True)
    most = serializers.FloatField(allow_null=True, help_text="95 % are below")
    percent = serializers.FloatField(allow_null=True)


class LevelShape(serializers.Serializer[Any]):
    """One line. Times are seconds; what is not known is null."""

    name = serializers.CharField()
    counts = serializers.DictField(child=serializers.IntegerField())
    times = serializers.DictField(child=serializers.FloatField(allow_null=True))
    cost_usd = serializers.FloatField(allow_null=True)
    staged = serializers.IntegerField(help_text="Successes that `stages` tells of")
    stages = serializers.DictField(child=StageShape(), help_text=f"Of {', '.join(f'`{name}`' for name in STAGES)}")


class ResolutionShape(serializers.Serializer[Any]):
    """Of what came up in the range: how many are over, how many still wait, and the seconds that the first took."""

    kind = serializers.CharField(help_text=" or ".join(f"`{kind}`" for kind in KINDS))
    resolved = serializers.IntegerField()
    open = serializers.IntegerField()
    median = serializers.FloatField(allow_null=True)
    most = serializers.FloatField(allow_null=True, help_text="95 % are below")


class RefusedShape(serializers.Serializer[Any]):
    """What agents were refused in the range: calls by the kind of no, and requests for what is another unit's."""

    kind = serializers.CharField(help_text=" or ".join(f"`{kind}`" for kind in REFUSALS))
    count = serializers.IntegerField()
    most_by = serializers.CharField(help_text="Whose most of them are")
    most = serializers.IntegerField()


class JudgedShape(serializers.Serializer[Any]):
    """A figure beside its acceptable range. `out`: on the wrong side of it."""

    key = serializers.CharField()
    title = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    sample = serializers.IntegerField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    state = serializers.CharField()
    out = serializers.BooleanField()
    set_by = serializers.CharField(help_text="The service level that says so; empty: the settings")


class LevelsShape(serializers.Serializer[Any]):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    by = serializers.CharField()
    exact = serializers.BooleanField(
        help_text="Whether times are told to the last digit. Of many executions they are within 5 per cent"
    )
    ranges = JudgedShape(many=True)
    refused = RefusedShape(many=True)
    resolution = ResolutionShape(many=True)
    all = LevelShape()
    results = LevelShape(many=True)


class Levels(ApiView):
    doors = {"GET": either("executions:read")}

    @extend_schema(responses=LevelsShape, parameters=PARAMETERS, summary="Service levels in a range of time")
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request, *READERS)
        span, by = _asked(request)
        whole, *groups = levels(span, by=by)
        body = {
            "since": span.since,
            "until": span.until,
            "by": by,
            "exact": whole.is_exact,
            "ranges": [asdict(one) for one in judged(whole, Ranges().of(span.units))],
            "refused": [asdict(one) for one in refused(span, to_a_machine=not actor_of(request).is_person)],
            "resolution": [asdict(one) for one in resolutions(span)],
            "all": _line(whole),
            "results": [_line(one) for one in groups],
        }
        return Response(LevelsShape(body).data, headers={"Cache-Control": "no-store"})


def _asked(request: Request) -> tuple[Span, str]:
    query = request.query_params
    given = {name: value_of(name, reads, query[name]) for name, reads in READERS.items() if name in query}
    until = given.get("until") or database_now()
    since = given.get("since") or until - timedelta(days=DAYS)
    if not since < until <= since + timedelta(days=MOST_DAYS):
        raise BadParameter(f"since: Choose a time before `until`, at most {MOST_DAYS} days.")
    seen = scope.unit_ids(actor_of(request), "view")
    if "unit" in given:
        seen = below(given["unit"]) & seen if given["unit"] else frozenset()
    return Span(units=seen, since=since, until=until), given.get("by", "workflow")


def _line(one: Level) -> dict[str, Any]:
    return {
        "name": one.called,
        "counts": {name: one.counts[name] for name in COUNTS},
        "times": {name: one.times[name] for name in TIMES},
        "cost_usd": one.cost,
        "staged": one.staged,
        "stages": {name: asdict(part) for name, part in one.stages.items()},
    }
