"""Operators who look into the applications of others."""

from __future__ import annotations

from datetime import datetime

from common.events.base import Event


class UsersSearched(Event, type="users_searched"):
    """An operator searched all applications for the users of one address. The event is in the log of the
    Dashboard, also if nobody was found. `address_hash` is a keyed hash of the address. Equal hashes mean
    the same address."""

    address_hash: str
    reason: str


class UserLocated(Event, type="user_located"):
    """An operator searched all applications for an address, and found this user. `actor_id` is the
    operator."""

    user_id: str
    reason: str


class SupportViewOpened(Event, type="support_view_opened"):
    """An operator opened the data of a user: the profile without metadata, ways to sign in, sessions and
    events. They can read it until `expires_at`. The event is in the logs of the application and of the
    Dashboard."""

    application_id: str
    user_id: str
    reason: str
    expires_at: datetime
