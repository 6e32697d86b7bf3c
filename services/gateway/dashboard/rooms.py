"""The rooms of an application: the pages that the sidebar lists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from common.message_ids import N_


@dataclass(frozen=True)
class Room:
    """A page of the sidebar. `path` follows that of the application. `needs` is the permission without
    which the page shows nothing."""

    name: str
    path: str
    icon: str
    needs: str | None = None


@dataclass(frozen=True)
class RoomGroup:
    """Rooms under one heading; none for the first."""

    heading: str | None
    rooms: tuple[Room, ...]


GROUPS: Final = (
    RoomGroup(
        None,
        (
            Room(N_("Overview"), "", "overview"),
            Room(N_("Getting started"), "/start", "start"),
        ),
    ),
    RoomGroup(N_("Building"), (Room(N_("Audit log"), "/audit", "log", "audit:read"),)),
)
PATHS: Final = frozenset(room.path for group in GROUPS for room in group.rooms)


def rooms_of(may: Callable[[str], bool]) -> list[RoomGroup]:
    """Returns the rooms that the developer may enter."""
    groups = (
        RoomGroup(group.heading, tuple(r for r in group.rooms if r.needs is None or may(r.needs)))
        for group in GROUPS
    )
    return [group for group in groups if group.rooms]
