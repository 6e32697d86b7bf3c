"""The roll-up agrees with the audit log for every period."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.kit.callers import secret_key_of
from tests.kit.world import World

from common.contracts.audit_log import CountAudit
from common.ids import new_id
from tenancy.audit_sealing import seal, seal_events

HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
OLD = HOUR.replace(hour=0) - timedelta(days=120)


async def logged(
    world: World,
    app: str,
    moments: list[datetime],
    event_type: str = "logout",
    *,
    sealed: bool = True,
) -> None:
    ids = [new_id() for _ in moments]
    await world.owner.executemany(
        "INSERT INTO audit_logs (app_id, id, event_type, event_data, created_at)"
        " VALUES ($1, $2, $3, '{}', $4)",
        [(app, id, event_type, moment) for id, moment in zip(ids, moments, strict=True)],
    )
    if sealed:
        await seal_events(world.tenancy, app, ids)  # as the stream names them, at any age


async def counted(
    world: World, app: str, since: datetime | None = None, until: datetime | None = None
) -> dict[str, int]:
    """Returns the counts by type of events that these tests wrote."""
    found = await world.call(CountAudit(start_date=since, end_date=until), secret_key_of(app))
    return {each.event_type: each.count for each in found.event_types if each.event_type in TYPES}


TYPES = ("logout", "login")
MINUTES = [0, 1, 59, 60, 61, 119, 120, 180]


@pytest.mark.parametrize("begin", [HOUR, OLD], ids=["hours", "days"])
async def test_any_period_is_counted_exactly(world: World, begin: datetime) -> None:
    """A period may have whole hours and days, parts of them, or be empty."""
    app = (await world.create_application()).id
    moments = [begin + timedelta(minutes=minute) for minute in MINUTES]
    await logged(world, app, moments)

    ends = [begin + timedelta(minutes=minute) for minute in (-1, 0, 1, 30, 60, 90, 120, 181, 1441)]
    for since in [None, *ends]:
        for until in [None, *ends]:
            expected = sum(
                (since is None or since <= moment) and (until is None or moment < until)
                for moment in moments
            )
            found = await counted(world, app, since, until)
            assert found == ({"logout": expected} if expected else {}), (since, until)


async def test_each_event_counts_once(world: World) -> None:
    """Repeated sealing counts an event once: by type, the most frequent first, for each
    application."""
    app, other = (await world.create_application()).id, (await world.create_application()).id
    await logged(world, app, [HOUR, HOUR])
    await logged(world, app, [HOUR] * 3, "login")
    await seal(world.tenancy, app)

    assert list((await counted(world, app)).items()) == [("login", 3), ("logout", 2)]
    assert await counted(world, other) == {}


async def test_events_count_before_they_are_sealed(world: World) -> None:
    """An event counts after its commit, and only once when it is sealed later."""
    app = (await world.create_application()).id
    now = datetime.now(UTC)
    recent = [now - timedelta(minutes=minute) for minute in (0, 1, 9)]
    await logged(world, app, recent, "login", sealed=False)
    assert await counted(world, app) == {"login": 3}

    await logged(world, app, [HOUR, *recent])
    assert await counted(world, app) == {"login": 3, "logout": 4}
    period = now - timedelta(minutes=5), now
    assert await counted(world, app, *period) == {"login": 1, "logout": 1}

    await seal(world.tenancy, app)
    assert await counted(world, app) == {"login": 3, "logout": 4}
    assert await counted(world, app, *period) == {"login": 1, "logout": 1}


async def test_old_hours_become_days(world: World) -> None:
    """Counts older than 90 days are one row for each day and type. An event that is sealed late
    still counts."""
    app = (await world.create_application()).id
    await logged(world, app, [OLD + timedelta(hours=hour) for hour in range(24)])
    await seal(world.tenancy, app)
    rows = (
        "SELECT since, count, daily FROM audit_counts WHERE app_id = $1 AND event_type = 'logout'"
    )
    days = [tuple(row) for row in await world.owner.fetch(rows, app)]
    await logged(world, app, [OLD + timedelta(hours=7)])
    await seal(world.tenancy, app)

    assert days == [(OLD, 24, True)]
    assert [tuple(row) for row in await world.owner.fetch(rows, app)] == [(OLD, 25, True)]
