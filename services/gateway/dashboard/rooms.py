"""The rooms of an application, and those of the platform: the pages that the sidebar lists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from common.caller import Caller
from common.message_ids import N_
from common.operator_rules import OPERATES


@dataclass(frozen=True)
class Room:
    """A page of the sidebar. `path` follows that of the application, or of the platform. `needs` is the
    permission without which the page shows nothing."""

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
            Room(N_("Agents"), "/agents", "code", "clients:read"),
            Room(N_("Methods and security"), "/settings", "sliders", "settings:read"),
            Room(N_("Branding"), "/branding", "brush"),
        ),
    ),
    RoomGroup(
        N_("Building"),
        (
            Room(N_("API keys"), "/keys", "key", "api_keys:read"),
            Room(N_("Signing keys"), "/signing-keys", "lock", "settings:read"),
            Room(N_("Domains"), "/domains", "globe", "domains:read"),
            Room(N_("Mail"), "/mail", "mail", "apps:read"),
            Room(N_("Mail server"), "/mail-sender", "server", "settings:read"),
            Room(N_("Audit log"), "/audit", "log", "audit:read"),
            Room(N_("Danger zone"), "/danger", "alert", "apps:write"),
        ),
    ),
)
PLATFORM: Final = RoomGroup(
    N_("Platform"),
    (
        Room(N_("Developers"), "/developers", "users", "developers:read"),
        Room(N_("All applications"), "/applications", "client", "apps:read:all"),
        Room(N_("All teams"), "/teams", "org", "organizations:read"),
        Room(N_("Find a user"), "/users", "search", OPERATES),
        Room(N_("Health"), "/health", "pulse", OPERATES),
        Room(N_("Signing keys"), "/signing-keys", "lock", OPERATES),
        Room(N_("Settings"), "/settings", "sliders", OPERATES),
        Room(N_("Audit log"), "/audit", "log", OPERATES),
    ),
)
"""For operators. Each of these pages is a `platform_page`."""
PATHS: Final = frozenset(room.path for group in GROUPS for room in group.rooms)


def rooms_of(may: Callable[[str], bool]) -> list[RoomGroup]:
    """Returns the rooms that the developer may enter."""
    groups = (
        RoomGroup(group.heading, tuple(r for r in group.rooms if r.needs is None or may(r.needs)))
        for group in GROUPS
    )
    return [group for group in groups if group.rooms]


def platform_rooms_of(caller: Caller) -> list[RoomGroup]:
    """Returns the rooms of the platform that a user of the Dashboard may enter. An operator who has not
    shown their second factor sees them, and is asked for it there."""
    may_enter = (
        room
        for room in PLATFORM.rooms
        if room.needs is None or caller.may(room.needs) or caller.lacks_factor
    )
    group = RoomGroup(PLATFORM.heading, tuple(may_enter))
    return [group] if group.rooms else []
