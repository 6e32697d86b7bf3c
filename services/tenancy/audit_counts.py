"""Counts the events of each type in a period, from a roll-up of hours and days.

The roll-up grows with time, and not with the number of events. Hours (UTC) are kept for 90 days and
then become days. The log itself is read for parts of an hour at the ends of a period, and for
events that may not be sealed yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from common import keyset
from common.contracts.audit_log import EventCount
from common.db import Db
from tenancy.queries import audit_counts
from tenancy.queries.audit_chain import Head, LoggedEvent
from tenancy.queries.audit_counts import Count

HOURS_KEPT: Final = timedelta(days=90)
START: Final = datetime(1, 1, 2, tzinfo=UTC)
"""Before all events, in every time zone."""


async def add(db: Db, app_id: str, events: Sequence[LoggedEvent]) -> None:
    """Adds these events to the roll-up, in the transaction that seals them."""
    counts = Counter((_hour(event.created_at), event.event_type) for event in events)
    await audit_counts.add(db, app_id=app_id, counts=_rows(counts))


async def merge_days(db: Db, app_id: str, now: datetime) -> None:
    """Turns hours that are old enough into days. The caller holds the chain's lock."""
    hours = await audit_counts.delete_hours(db, app_id=app_id, before=_oldest_hour(now))
    if hours:
        days: Counter[tuple[datetime, str]] = Counter()
        for hour in hours:
            days[_day(hour.since), hour.event_type] += hour.count
        await audit_counts.add(db, app_id=app_id, counts=_rows(days), daily=True)


def _rows(counts: Counter[tuple[datetime, str]]) -> list[Count]:
    return [Count(since, type, count) for (since, type), count in sorted(counts.items())]


def complete_until(head: Head | None, latest: timedelta) -> datetime:
    """Returns the start of the first hour that may have events that are not sealed.

    Such an event is at most `latest` older than the head of the chain.
    """
    return _hour(head.created_at - latest) if head else START


async def between(
    db: Db,
    app_id: str,
    since: datetime | None,
    until: datetime | None,
    *,
    now: datetime,
    complete: datetime,
) -> list[EventCount]:
    """Returns the counts by type in [since, until), the most frequent first.

    The roll-up has all events before `complete`. Later ones are counted in the log.
    """
    parts: list[EventCount] = []
    if until is None or complete < until:
        begin = max(since, complete) if since else complete
        parts += await audit_counts.count_log(
            db, app_id=app_id, since=begin, until=until or keyset.NEWEST
        )
        until = complete
    if since is None or since < until:
        parts += await _rolled_up(db, app_id, since, until, now=now)
    return _sorted(parts)


async def _rolled_up(
    db: Db, app_id: str, since: datetime | None, until: datetime, *, now: datetime
) -> list[EventCount]:
    """Returns whole hours and days from the roll-up, and the rest at both ends from the log."""
    first = _next_whole(since, now) if since else None
    last = _whole(until, now)
    if since is not None and first is not None and first >= last:
        return await audit_counts.count_log(db, app_id=app_id, since=since, until=until)
    parts = await audit_counts.rolled_up(db, app_id=app_id, since=first, until=last)
    if since is not None and first is not None and since < first:
        parts += await audit_counts.count_log(db, app_id=app_id, since=since, until=first)
    if last < until:
        parts += await audit_counts.count_log(db, app_id=app_id, since=last, until=until)
    return parts


def _sorted(parts: list[EventCount]) -> list[EventCount]:
    total: Counter[str] = Counter()
    for part in parts:
        total[part.event_type] += part.count
    ranked = sorted(total.items(), key=lambda item: (-item[1], item[0]))
    return [EventCount(event_type=name, count=count) for name, count in ranked]


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _day(moment: datetime) -> datetime:
    return _hour(moment).replace(hour=0)


def _oldest_hour(now: datetime) -> datetime:
    """Returns the start of the oldest day whose hours are kept."""
    return _day(now - HOURS_KEPT)


def _whole(moment: datetime, now: datetime) -> datetime:
    """Returns the last start of an hour, or of an old day, that is not later."""
    return _day(moment) if moment < _oldest_hour(now) else _hour(moment)


def _next_whole(moment: datetime, now: datetime) -> datetime:
    """Returns the first start of an hour, or of an old day, that is not earlier."""
    start = _whole(moment, now)
    if start == moment:
        return start
    return start + (timedelta(days=1) if moment < _oldest_hour(now) else timedelta(hours=1))
