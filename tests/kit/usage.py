"""Figures over time, as the Dashboard's pages get them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from common.contracts.usage import UsageCounts, UsageFigures, UsagePeriod, UsageWindow
from common.time_zones import zone_of_name
from tenancy.usage_periods import periods_of

NOW: Final = datetime(2026, 6, 17, 10, 40, tzinfo=UTC)


def figures(sign_ins: int) -> UsageFigures:
    return UsageFigures(sign_ins=sign_ins, sign_ups=2, active_users=sign_ins // 2, failures=0)


def usage_of(
    window: UsageWindow,
    *,
    zone: str = "UTC",
    values: Sequence[int | None] | None = None,
    now: datetime = NOW,
    before: int | None = 40,
) -> UsageCounts:
    """Returns the figures of a window with these sign-ins; None where the application did not exist. By
    default there are 0, 10, 20, …"""
    periods = periods_of(window, now, zone_of_name(zone))
    bounds = [*periods.starts, periods.end]
    numbers = values if values is not None else [10 * n for n in range(len(periods.starts))]
    return UsageCounts(
        window=window,
        time_zone=zone,
        unit=periods.unit,
        periods=[
            UsagePeriod(
                start=start,
                end=end,
                finished=end <= now,
                figures=None if value is None else figures(value),
            )
            for (start, end), value in zip(pairwise(bounds), numbers, strict=True)
        ],
        total=figures(sum(value or 0 for value in numbers)),
        previous=None if before is None else figures(before),
    )
