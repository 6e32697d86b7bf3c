"""The figures over time agree with the events of an application, in the days of its zone."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.kit.callers import secret_key_of
from tests.kit.world import World

from common.context import Caller
from common.contracts.settings_change import SettingsChange, UpdateSettings
from common.contracts.usage import CountUsage, UsageCounts, UsageFigures, UsageWindow
from common.ids import new_id
from common.problems import Forbidden
from common.testing import context
from tenancy import usage, usage_rollup
from tenancy.audit_sealing import seal, seal_events

NOW = datetime(2026, 6, 17, 10, 40, tzinfo=UTC)
DAY = timedelta(days=1)


async def application(world: World, zone: str = "UTC", age: int = 400) -> str:
    """Returns an application in that zone that is `age` days old."""
    app = (await world.create_application()).id
    await world.owner.execute(
        "UPDATE applications SET created_at = $2 WHERE id = $1", app, NOW - age * DAY
    )
    await world.call(UpdateSettings(changes=SettingsChange(time_zone=zone)), secret_key_of(app))
    return app


async def user(world: World, app: str) -> str:
    id = new_id()
    await world.owner.execute(
        "INSERT INTO users (app_id, id, email, email_normalized) VALUES ($1, $2, $3, $3)",
        app,
        id,
        f"{id}@example.com",
    )
    return id


async def logged(
    world: World, app: str, *moments: datetime, type: str = "login", **fields: Any
) -> None:
    """Writes events with these times, and seals them as the stream names them."""
    fields = {"user_id": None, "actor_kind": "anonymous", "actor_id": None, "data": {}} | fields
    ids = [new_id() for _ in moments]
    for id, moment in zip(ids, moments, strict=True):
        await world.owner.execute(
            "INSERT INTO audit_logs (app_id, id, event_type, event_data, created_at, user_id,"
            " actor_kind, actor_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            app,
            id,
            type,
            json.dumps(fields["data"]),
            moment,
            fields["user_id"],
            fields["actor_kind"],
            fields["actor_id"],
        )
    await seal_events(world.tenancy, app, ids)


async def counted(
    world: World, app: str, window: UsageWindow = "7d", now: datetime = NOW
) -> UsageCounts:
    return await usage.counts_at(world.tenancy, secret_key_of(app), window, now)


def values(counts: UsageCounts, figure: str) -> list[int | None]:
    """Returns the figure of each period; None where the application did not exist."""
    return [getattr(each.figures, figure) if each.figures else None for each in counts.periods]


async def test_each_figure_counts_its_events(world: World) -> None:
    """Sign-ins, sign-ups and failures are those of the audit log, without accounts that others made."""
    app, ada = await application(world), new_id()
    await logged(world, app, NOW, NOW, NOW - DAY)
    for by in ("sign_up", "invitation", "administrator", "guest"):
        await logged(world, app, NOW, type="user_created", data={"user_id": ada, "by": by})
    await logged(world, app, NOW, type="guest_upgraded", data={"user_id": ada, "method": "email"})
    for failure in ("login_failed", "idp_sign_in_failed", "passkey_refused", "sign_in_locked"):
        await logged(world, app, NOW, type=failure)
    counts = await counted(world, app)

    assert counts.total == UsageFigures(sign_ins=3, sign_ups=3, active_users=0, failures=3)
    assert values(counts, "sign_ins") == [0, 0, 0, 0, 0, 1, 2]
    assert values(counts, "failures") == [0, 0, 0, 0, 0, 0, 3]


async def test_the_contract_answers_about_now(world: World) -> None:
    """The window ends now. It needs `audit:read`."""
    app = await application(world)
    await logged(world, app, datetime.now(UTC))
    counts = await world.call(CountUsage(window="24h"), secret_key_of(app))

    assert values(counts, "sign_ins")[-2:] in ([0, 1], [1, 0])  # the hour may end meanwhile
    assert counts.unit == "hour"
    assert [each.finished for each in counts.periods] == [True] * 23 + [False]
    reader = Caller(kind="user", id=new_id(), permissions=frozenset({"users:read"}))
    with pytest.raises(Forbidden):
        await world.call(CountUsage(), context(app, reader))


@pytest.mark.parametrize(
    ("zone", "now", "last"),
    [
        ("Europe/Berlin", datetime(2026, 3, 30, 9, tzinfo=UTC), [23, 9 + 2]),
        ("Europe/Berlin", datetime(2026, 10, 26, 9, tzinfo=UTC), [25, 9 + 1]),
        ("Asia/Kolkata", datetime(2026, 6, 17, 9, tzinfo=UTC), [24, 9 + 6]),
    ],
)
async def test_days_are_those_of_the_zone(
    world: World, zone: str, now: datetime, last: list[int]
) -> None:
    """A day of 23 or 25 hours is one period with its events, and midnight may be at half an hour: one
    event in each hour of UTC, five minutes before its end."""
    app = await application(world, zone)
    first = now.replace(minute=55) - 9 * DAY
    moments = [first + timedelta(hours=hour) for hour in range(9 * 24)]
    await logged(world, app, *moments)
    counts = await counted(world, app, now=now)

    assert values(counts, "sign_ins")[-2:] == last
    assert counts.time_zone == zone
    assert sum(value or 0 for value in values(counts, "sign_ins")) == counts.total.sign_ins


async def test_a_change_of_the_zone_moves_the_days(world: World) -> None:
    """The sums follow the setting, also for events from before."""
    app = await application(world)
    await logged(world, app, NOW.replace(hour=23, minute=20) - 3 * DAY)
    before = values(await counted(world, app), "sign_ins")
    await world.call(
        UpdateSettings(changes=SettingsChange(time_zone="Asia/Kolkata")), secret_key_of(app)
    )

    assert before == [0, 0, 0, 1, 0, 0, 0]
    assert values(await counted(world, app), "sign_ins") == [0, 0, 0, 0, 1, 0, 0]


async def test_quiet_days_are_zero_and_days_before_are_a_gap(world: World) -> None:
    """A day without events has zeros. A day before the application was created has no figures, and the
    window before is not compared."""
    app = await application(world, age=2)
    counts = await counted(world, app)

    assert values(counts, "sign_ins") == [None, None, None, None, 0, 0, 0]
    assert counts.total == UsageFigures(sign_ins=0, sign_ups=0, active_users=0, failures=0)
    assert counts.previous is None


async def test_the_window_before_has_the_same_days(world: World) -> None:
    """Events of the seven days before are counted apart, and older ones are not."""
    app = await application(world)
    ada = await user(world, app)
    for days in (14, 13, 7, 6, 0):
        await logged(world, app, NOW - days * DAY, user_id=ada)
    counts = await counted(world, app)

    assert counts.total == UsageFigures(sign_ins=2, sign_ups=0, active_users=1, failures=0)
    assert counts.previous == UsageFigures(sign_ins=2, sign_ups=0, active_users=1, failures=0)


async def test_users_count_once_in_a_window(world: World) -> None:
    """Users of any window are those who were there, whatever the order in which events come."""
    app = await application(world, "America/New_York")
    people = [await user(world, app) for _ in range(6)]
    dice = random.Random(7)
    visits = [
        (person, NOW - timedelta(minutes=dice.randrange(0, 60 * 24 * 60)))
        for person in people
        for _ in range(25)
    ]
    visits.sort(key=lambda visit: visit[1])
    for n in range(0, len(visits) - 1, 2):  # neighbours come in the wrong order
        if visits[n + 1][1] - visits[n][1] < timedelta(days=2):
            visits[n], visits[n + 1] = visits[n + 1], visits[n]
    for person, moment in visits:
        await logged(world, app, moment, user_id=person)
    zone = ZoneInfo("America/New_York")
    today = NOW.astimezone(zone).date()

    windows: tuple[tuple[UsageWindow, int], ...] = (("7d", 7), ("30d", 30))
    for window, days in windows:
        counts = await counted(world, app, window)
        ages = [(person, (today - at.astimezone(zone).date()).days) for person, at in visits]
        assert counts.total.active_users == len({who for who, age in ages if age < days})
        assert counts.previous is not None
        earlier = {who for who, age in ages if days <= age < 2 * days}
        assert counts.previous.active_users == len(earlier)
        expected = [len({who for who, age in ages if age == days - 1 - n}) for n in range(days)]
        assert values(counts, "active_users") == expected


async def test_users_of_hours_count_once_in_a_day(world: World) -> None:
    """The window of 24 hours has the users of each hour, and of all of them."""
    app = await application(world)
    ada, ben = await user(world, app), await user(world, app)
    hour = timedelta(hours=1)
    await logged(world, app, NOW, NOW - hour, NOW - 23 * hour, NOW - 24 * hour, user_id=ada)
    await logged(world, app, NOW - hour, user_id=ben)
    counts = await counted(world, app, "24h")

    assert values(counts, "active_users") == [1, *[0] * 21, 2, 1]
    assert counts.total.active_users == 2
    assert counts.previous is not None
    assert counts.previous.active_users == 1


async def test_only_the_users_themselves_are_active(world: World) -> None:
    """What an administrator or somebody in the name of the user does makes nobody active."""
    app = await application(world)
    ada, ben = await user(world, app), await user(world, app)
    for kind, id in (("user", ben), ("developer", ben), ("secret_key", new_id())):
        await logged(
            world, app, NOW, type="user_updated", user_id=ada, actor_kind=kind, actor_id=id
        )
    nobody = await counted(world, app)
    await logged(world, app, NOW, type="logout", user_id=ada, actor_kind="user", actor_id=ada)

    assert nobody.total.active_users == 0
    assert (await counted(world, app)).total.active_users == 1


async def test_a_late_event_counts_in_its_own_day(world: World) -> None:
    """An event that is sealed two days later changes its day, and nothing twice."""
    app = await application(world)
    ada = await user(world, app)
    await logged(world, app, NOW - 5 * DAY, NOW, user_id=ada)
    await logged(world, app, NOW - 2 * DAY, user_id=ada)
    await seal(world.tenancy, app)
    counts = await counted(world, app)

    assert values(counts, "sign_ins") == [0, 1, 0, 0, 1, 0, 1]
    assert values(counts, "active_users") == [0, 1, 0, 0, 1, 0, 1]
    assert counts.total.active_users == 1


async def test_erasing_a_user_changes_no_figure(world: World) -> None:
    """The figures stay, and nothing of the user does."""
    app = await application(world)
    ada, ben = await user(world, app), await user(world, app)
    await logged(world, app, NOW - DAY, NOW, user_id=ada)
    await logged(world, app, NOW, user_id=ben)
    before = await counted(world, app)
    await world.owner.execute("DELETE FROM users WHERE id = $1", ada)
    await logged(world, app, NOW, user_id=ben)
    rows = await world.owner.fetch("SELECT user_id FROM active_users WHERE app_id = $1", app)

    after = await counted(world, app)
    assert after.total.active_users == before.total.active_users == 2
    assert values(after, "active_users") == values(before, "active_users")
    assert [row["user_id"] for row in rows] == [ben]


async def test_an_erased_user_is_not_remembered(world: World) -> None:
    """An event that is sealed after its user was deleted keeps nothing of them."""
    app = await application(world)
    await logged(world, app, NOW, user_id=new_id())

    assert await world.owner.fetch("SELECT FROM active_users WHERE app_id = $1", app) == []
    assert (await counted(world, app)).total.sign_ins == 1


async def test_another_application_is_never_counted(world: World) -> None:
    """Events of one application change no figure of another."""
    app, other = await application(world), await application(world)
    await logged(world, other, NOW, user_id=await user(world, other))
    await logged(world, other, NOW, type="login_failed")
    counts = await counted(world, app)

    assert counts.total == UsageFigures(sign_ins=0, sign_ups=0, active_users=0, failures=0)


async def test_old_figures_are_deleted(world: World) -> None:
    """What no window needs goes away. What the longest window and the one before need stays."""
    app = await application(world)
    ada = await user(world, app)
    await logged(world, app, NOW - 190 * DAY, NOW - 179 * DAY, NOW, user_id=ada)
    before = await counted(world, app, "90d")
    async with world.tenancy.db.transaction(secret_key_of(app)) as tx:
        await usage_rollup.delete_old(tx, app, NOW)
    after = await counted(world, app, "90d")

    assert after == before
    assert (after.previous, after.total.active_users) == (
        UsageFigures(sign_ins=1, sign_ups=0, active_users=1, failures=0),
        1,
    )
    kept = await world.owner.fetchval("SELECT count(*) FROM usage_counts WHERE app_id = $1", app)
    assert kept == 2
