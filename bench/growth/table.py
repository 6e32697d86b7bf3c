"""The table of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.growth.cost import Cost

TARGET: Final = 1.3
"""The most that a page may cost at many rows, as a multiple of its cost at few."""


@dataclass(frozen=True)
class Result:
    """What a question costs with few rows, with many, and with many far from the first page."""

    group: str
    name: str
    few: Cost
    many: Cost
    far: Cost | None = None

    @property
    def ratio(self) -> float:
        """Returns buffers with many rows, at the dearer place, divided by buffers with few. If the page
        of few rows has fewer rows, the buffers of each row are compared."""
        return max(_ratio(self.few, many) for many in (self.many, self.far) if many)

    @property
    def milliseconds(self) -> float:
        """Returns PostgreSQL's time with many rows, at the slower place."""
        return max(self.many.milliseconds, self.far.milliseconds if self.far else 0.0)


def _ratio(few: Cost, many: Cost) -> float:
    ratio = many.buffers / max(1, few.buffers)
    return ratio * few.rows / many.rows if 0 < few.rows < many.rows else ratio


def table(results: Sequence[Result], few: int, many: int) -> str:
    """Returns the table as Markdown. A ratio above the target is bold."""
    failures = [
        f"{result.group}: {result.name} failed: {cost.failure}"
        for result in results
        for cost in (result.few, result.many, result.far)
        if cost and cost.failure
    ]
    lines = [
        f"| | buffers, {few:,} rows | {many:,} rows | far on | ratio | ms, {few:,} | ms, {many:,} |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for result in results:
        far = f"{result.far.buffers:,}" if result.far else "–"
        ratio = f"{result.ratio:.2f}"
        cells = [
            f"{result.group}: {result.name}",
            f"{result.few.buffers:,}",
            f"{result.many.buffers:,}",
            far,
            f"**{ratio}**" if result.ratio > TARGET else ratio,
            f"{result.few.milliseconds:.2f}",
            f"{result.milliseconds:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", *failures])
