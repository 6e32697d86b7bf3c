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
    RoomGroup(
        N_("People"),
        (
            Room(N_("Users"), "/users", "users", needs="users:read"),
            Room(N_("Organizations"), "/organizations", "org", "organizations:read"),
            Room(N_("Roles"), "/roles", "shield", "roles:read"),
        ),
    ),
    RoomGroup(
        N_("Signing in"),
        (
            Room(N_("Identity providers"), "/providers", "provider", "idps:read"),
            Room(N_("OAuth clients"), "/clients", "client", "clients:read"),
            Room(N_("Methods and security"), "/settings", "sliders", "settings:read"),
            Room(N_("Branding"), "/branding", "brush"),
        ),
    ),
    RoomGroup(
        N_("Building"),
        (
            Room(N_("API keys"), "/keys", "key", "api_keys:read"),
            Room(N_("Domains"), "/domains", "globe", "domains:read"),
            Room(N_("Mail"), "/mail", "mail", "apps:read"),
            Room(N_("Audit log"), "/audit", "log", "audit:read"),
            Room(N_("Danger zone"), "/danger", "alert", "apps:write"),
        ),
    ),
)
PATHS: Final = frozenset(room.path for group in GROUPS for room in group.rooms)


def rooms_of(may: Callable[[str], bool]) -> list[RoomGroup]:
    """Returns the rooms that the developer may enter."""
    groups = (
        RoomGroup(group.heading, tuple(r for r in group.rooms if r.needs is None or may(r.needs)))
        for group in GROUPS
    )
    return [group for group in groups if group.rooms]
