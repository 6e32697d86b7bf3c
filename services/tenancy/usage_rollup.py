"""Adds sealed events to the figures of the charts.

An event is counted in the transaction that seals it: once, and in its own hour, however late it comes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, TypeAlias

from common.db import Db
from common.time_zones import zone_of_name
from tenancy.queries import active_users, usage
from tenancy.queries.active_users import ActiveCount, ActiveUser, Unit
from tenancy.queries.audit_chain import LoggedEvent
from tenancy.queries.usage import QuarterCount
from tenancy.usage_periods import day_of, hour_of, quarter_of

KEPT: Final = timedelta(days=185)
"""The longest window, the one before it, and some days for a change of the time zone."""
AGES: Final[dict[Unit, timedelta]] = {"hour": timedelta(days=3), "day": KEPT}
"""How long the active users of an hour or day are kept."""
LATE: Final = timedelta(days=3)
"""How much older than a user's newest activity a late event may be, and still count exactly."""
NEVER: Final = datetime(1, 1, 2, tzinfo=UTC)
"""The previous activity of a user who was not active before."""
SIGN_UPS: Final = frozenset({"sign_up", "invitation", "owner_link"})
"""Ways to create an account oneself, as `user_created` names them."""
FAILURES: Final = frozenset({"login_failed", "idp_sign_in_failed", "passkey_refused"})
PRESENCE: Final = frozenset({"login", "token_issued"})
"""Events of a user who is there, though a client or nobody made the call."""

ActiveRow: TypeAlias = tuple[Unit, datetime, datetime]
"""The key of an active_user_counts row: the unit, an hour or day, and the one before."""


async def add(db: Db, app_id: str, events: Sequence[LoggedEvent]) -> None:
    """Adds these events to the figures, in the transaction that seals them."""
    counts = _quarters(events)
    if counts:
        await usage.add(db, app_id=app_id, counts=counts)
    moments: defaultdict[str, list[datetime]] = defaultdict(list)
    for event in events:
        if event.user_id is not None and is_presence(event):
            moments[event.user_id].append(event.created_at)
    if moments:
        await _add_users(db, app_id, moments)


async def delete_old(db: Db, app_id: str, now: datetime) -> None:
    """Deletes the figures that no window needs. The caller holds the chain's lock."""
    await usage.delete_before(db, app_id=app_id, before=now - KEPT)
    for unit, age in AGES.items():
        await active_users.delete_before(db, app_id=app_id, unit=unit, before=now - age)


def _quarters(events: Sequence[LoggedEvent]) -> list[QuarterCount]:
    counts: defaultdict[datetime, Counter[str]] = defaultdict(Counter)
    for event in events:
        if figure := figure_of(event):
            counts[quarter_of(event.created_at)][figure] += 1
    return [
        QuarterCount(since, each["sign_ins"], each["sign_ups"], each["failures"])
        for since, each in sorted(counts.items())
    ]


def figure_of(event: LoggedEvent) -> str | None:
    """Returns the name of the figure in which an event counts, or None."""
    if event.event_type == "login":
        return "sign_ins"
    if event.event_type in FAILURES:
        return "failures"
    if event.event_type == "guest_upgraded":
        return "sign_ups"
    if event.event_type == "user_created" and event.event_data.get("by") in SIGN_UPS:
        return "sign_ups"
    return None


def is_presence(event: LoggedEvent) -> bool:
    """Returns whether the user of an event was there. Somebody who acts as the user is not the user."""
    own = event.actor_kind == "user" and event.actor_id == event.user_id
    return own or event.event_type in PRESENCE


async def _add_users(db: Db, app_id: str, moments: dict[str, list[datetime]]) -> None:
    zone = await _zone(db, app_id)
    updates: list[ActiveUser] = []
    counts: Counter[ActiveRow] = Counter()
    for user in await active_users.by_ids(db, app_id=app_id, ids=sorted(moments)):
        hours, days = ActiveTimes("hour", user.hours), ActiveTimes("day", user.days)
        for moment in moments[user.user_id]:
            hours.add(hour_of(moment), counts)
            days.add(day_of(moment, zone), counts)
        if hours.is_changed or days.is_changed:
            updates.append(ActiveUser(user.user_id, hours.latest, days.latest))
    if updates:
        await active_users.put(db, app_id=app_id, users=updates)
        rows = [ActiveCount(*key, count) for key, count in sorted(counts.items()) if count]
        await active_users.add(db, app_id=app_id, counts=rows)


async def _zone(db: Db, app_id: str) -> tzinfo:
    application = await usage.application(db, app_id=app_id)
    settings = application.settings if application else {}
    return zone_of_name(str(settings.get("time_zone", "UTC")))


@dataclass
class ActiveTimes:
    """The hours or days on which a user was active: the latest, in order, and the last one before them,
    which is NEVER for a new user."""

    unit: Unit
    latest: list[datetime]
    is_changed: bool = False

    def add(self, moment: datetime, counts: Counter[ActiveRow]) -> None:
        """Adds an hour or day. Writes to `counts` what changes for it and for the one after it."""
        times = self.latest or [NEVER]
        place = bisect_left(times, moment)
        if place == 0 or (place < len(times) and times[place] == moment):
            return  # counted already, or so late that the one before it is forgotten
        previous = times[place - 1]
        counts[self._row(moment, previous)] += 1
        if place < len(times):
            counts[self._row(times[place], previous)] -= 1
            counts[self._row(times[place], moment)] += 1
        times = [*times[:place], moment, *times[place:]]
        recent = bisect_left(times, times[-1] - LATE)
        self.latest = times[max(0, recent - 1) :]
        self.is_changed = True

    def _row(self, moment: datetime, previous: datetime) -> ActiveRow:
        """Returns the row in which the user counts. Windows do not reach beyond what is kept, so a
        previous time before that is the same as none."""
        return self.unit, moment, previous if moment - previous < AGES[self.unit] else NEVER
