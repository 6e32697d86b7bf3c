"""The usage of an application over time: the figures of its charts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.contracts.base import Contract, Request
from common.contracts.fields import Timestamp

UsageWindow = Literal["24h", "7d", "30d", "90d"]


class UsageFigures(Contract):
    """The figures of a time. An active user counts once, however often they came."""

    sign_ins: int = Field(description="Sessions that started.")
    sign_ups: int = Field(
        description="Users who created their account themselves, and guests who kept theirs."
    )
    active_users: int = Field(
        description="Different users who signed in, used a client or did something else that the "
        "audit log has."
    )
    failures: int = Field(description="Sign-ins that failed.")


class UsagePeriod(Contract):
    """One hour or day of a window."""

    start: Timestamp
    end: Timestamp
    finished: bool = Field(description="Whether the hour or day is over.")
    figures: UsageFigures | None = Field(
        default=None, description="`null` if the application did not exist yet."
    )


class UsageCounts(Contract):
    """The figures of a window. `total` counts each active user of the window once, so the users of its
    hours or days can add up to more."""

    window: UsageWindow
    time_zone: str = Field(description="The zone of the days: the setting `time_zone`.")
    unit: Literal["hour", "day"]
    periods: list[UsagePeriod]
    total: UsageFigures
    previous: UsageFigures | None = Field(
        default=None,
        description="The figures of the same number of whole hours or days before. `null` if the "
        "application did not exist for all of them.",
    )


class CountUsage(
    Request[UsageCounts], subject="tenancy.usage.count", needs="audit:read", within=5.0, safe=True
):
    """Counts sign-ins, sign-ups, active users and failures over time."""

    window: UsageWindow = Field(
        default="7d",
        description="`24h` has hours, the others have days. The last one is not over yet.",
    )
