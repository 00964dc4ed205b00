"""Tallies: how often a time was how long, as one number of any length that adds up, in the database and here.

Its digits are a histogram: how many times lie in a bucket stands in eight digits of its own, the shortest times last. Buckets
are those of OpenTelemetry's exponential histogram of scale 3, eight to the octave
(https://opentelemetry.io/docs/specs/otel/metrics/data-model/). `orchestrator_tally` makes the tally of one time.
"""

from itertools import accumulate

DIGITS = 8
# Bucket 0 is below a millisecond, the last one above 99 days. Cut to six digits, as the database has them.
EDGES = [float(f"{0.001 * 2 ** (edge / 8):.6g}") for edge in range(265)]


def buckets(tally: int) -> list[int]:
    """How many times are in each bucket, up to the last one that has any."""
    text = str(tally)
    return [int(text[max(end - DIGITS, 0) : end]) for end in range(len(text), 0, -DIGITS)]


def percentile(tally: int, share: float) -> float | None:
    """Seconds that this share of the times (0 to 1) is below, as `percentile_cont` tells it; None where there are none.

    Within 4.4 per cent; what is shorter than a millisecond counts as 0.
    """
    counts = buckets(tally)
    many = sum(counts)
    if not many:
        return None
    place = share * (many - 1)
    below, above = (_at(counts, rank) for rank in (int(place), min(int(place) + 1, many - 1)))
    return below + (above - below) * (place % 1)


def _at(counts: list[int], rank: int) -> float:
    """The time of this rank, the shortest being 0: of all that a bucket holds, the value that is nearest to its worst."""
    bucket = next(bucket for bucket, reached in enumerate(accumulate(counts)) if rank < reached)
    if not bucket:
        return 0.0
    low, high = EDGES[bucket - 1], EDGES[min(bucket, len(EDGES) - 1)]
    return 2 * low * high / (low + high)
