"""Judges series of samples: does a figure stay flat?

Only the second half of a run counts, since caches, pools and tables fill in the first one. A slope is the
median of the slopes between all pairs of samples (Theil and Sen), so single peaks do not tilt it. Where a
figure is a sawtooth, its peaks must not grow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, median
from typing import Final

Series = Sequence[tuple[float, float]]
"""Seconds since the start, and the figure."""


@dataclass(frozen=True)
class Flat:
    """The figure rises by no more than `rise` a minute, or `share` of its mean if that is more."""

    rise: float
    share: float
    unit: str
    reason: str

    def judge(self, half: Series) -> tuple[float, float]:
        """Returns the rise a minute, and the largest that is allowed."""
        return slope(half) * 60, max(self.rise, self.share * fmean(value for _, value in half))

    def describe(self, measured: float, allowed: float) -> str:
        """Returns both in words."""
        return f"{measured:+.2f} {self.unit} a minute, allowed {allowed:.2f}"


@dataclass(frozen=True)
class Bounded:
    """The highest peak of the last quarter is at most `factor` times that of the quarter before, and `more`."""

    factor: float
    more: float
    unit: str
    reason: str

    def judge(self, half: Series) -> tuple[float, float]:
        """Returns the later peak, and the largest that is allowed."""
        middle = len(half) // 2
        before, after = (max(value for _, value in part) for part in (half[:middle], half[middle:]))
        return after, before * self.factor + self.more

    def describe(self, measured: float, allowed: float) -> str:
        """Returns both in words."""
        return f"peak {measured:.0f} {self.unit}, allowed {allowed:.0f}"


@dataclass(frozen=True)
class Same:
    """The figure does not change."""

    reason: str

    def judge(self, half: Series) -> tuple[float, float]:
        """Returns the largest difference, and the largest that is allowed."""
        values = [value for _, value in half]
        return max(values) - min(values), 0.5

    def describe(self, measured: float, allowed: float) -> str:
        """Returns the difference in words."""
        return f"differs by {measured:.0f}"


BOUNDS: Final[Mapping[str, Flat | Bounded | Same]] = {
    "memory": Flat(0.5, 0.0, "MiB", "a leak of 1 MiB a minute is 1.4 GiB a day"),
    "descriptors": Flat(0.5, 0.0, "", "one that is lost every two minutes is 720 a day"),
    "tasks": Flat(0.5, 0.0, "", "one that never ends every two minutes is 720 a day"),
    "connections": Flat(0.5, 0.0, "", "PostgreSQL has a fixed number of them"),
    "processes": Same("no process is left behind, and none dies"),
    "cache entries": Flat(
        20.0, 0.03, "", "entries end with their lifetime, and caches have a size"
    ),
    "stream": Flat(0.05, 0.03, "", "what comes in ages out; the load varies by some percent"),
    "table": Flat(0.03, 0.01, "MiB", "free space is used again: four pages a minute are noise"),
    "indexes": Flat(0.06, 0.015, "MiB", "pages of deleted entries are used again after a vacuum"),
    "dead rows": Bounded(2.0, 1000, "rows", "a vacuum takes them away at a fifth of the table"),
    "outbox age": Bounded(2.0, 10, "s", "what waits is sent, also on a machine that is busy"),
}
"""By the group of a figure."""
KEPT_FOR_EVER: Final = {
    "audit_chain": "the hash chain over deleted events stays, so that gaps are seen",
    "audit_checkpoints": "the signatures of that chain stay",
}
"""Tables that grow by design, and why. They are drawn, and not judged."""
LEAST_SAMPLES: Final = 8
"""In the second half. Fewer say nothing."""


@dataclass(frozen=True)
class Verdict:
    """What was found about one figure."""

    name: str
    flat: bool
    text: str
    first: float
    last: float
    reason: str
    used: float
    """The share of what is allowed."""


def judge(series: Mapping[str, Series]) -> list[Verdict]:
    """Returns a verdict about each series. Raises ValueError if there are too few samples, or a figure of
    no known group."""
    return list(_verdicts(series))


def _verdicts(series: Mapping[str, Series]) -> Iterator[Verdict]:
    for name, values in sorted(series.items()):
        group, _, about = name.partition("/")
        if about in KEPT_FOR_EVER and group in ("table", "indexes"):
            continue
        bound = BOUNDS.get(group)
        if bound is None:
            raise ValueError(f"no bound for {name}")
        half = second_half(values)
        if len(half) < LEAST_SAMPLES:
            raise ValueError(f"{name}: {len(half)} samples in the second half, not {LEAST_SAMPLES}")
        measured, allowed = bound.judge(half)
        yield Verdict(
            name,
            measured <= allowed,
            bound.describe(measured, allowed),
            half[0][1],
            half[-1][1],
            bound.reason,
            measured / allowed,
        )


def second_half(values: Series) -> Series:
    """Returns the samples of the later half of the time."""
    middle = (values[0][0] + values[-1][0]) / 2
    return [each for each in values if each[0] >= middle]


def slope(values: Series) -> float:
    """Returns the rise in a second, by the median of all pairs."""
    return median(
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for earlier, later in combinations(values, 2)
    )
