"""Users."""

from __future__ import annotations

from common.events.base import Event


class UserCreated(Event, type="user_created"):
    """A user came to be: by sign-up, by an administrator, by invitation or import."""

    user_id: str
    by: str


class UserUpdated(Event, type="user_updated"):
    """Fields of a user's profile changed; their names, not their values."""

    user_id: str
    fields: list[str]


class UserDisabled(Event, type="user_disabled"):
    """A user was disabled, and their sessions ended."""

    user_id: str


class UserEnabled(Event, type="user_enabled"):
    """A disabled user may sign in again."""

    user_id: str


class UserUnlocked(Event, type="user_unlocked"):
    """An administrator ended the lock of a user's address."""

    user_id: str


class UserDeleted(Event, type="user_deleted"):
    """A user and all their data was deleted."""

    user_id: str


class UserVerified(Event, type="user_verified"):
    """A user proved to own the address."""

    user_id: str


class UsersImported(Event, type="users_imported"):
    """Users were imported from a file."""

    count: int


class EmailChanged(Event, type="email_changed"):
    """A user's address was replaced by one they proved to own."""

    user_id: str


class OwnerClaimed(Event, type="owner_claimed"):
    """The owner link was used: its holder is the operator of this deployment."""

    user_id: str
