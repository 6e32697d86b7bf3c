"""Users."""

from __future__ import annotations

from common.events.base import Event


class UserCreated(Event, type="user_created"):
    """A user was created by sign-up, by an administrator, by an invitation or by an import."""

    user_id: str
    by: str


class UserUpdated(Event, type="user_updated"):
    """Fields of a profile were changed. `fields` has their names, not their values."""

    user_id: str
    fields: list[str]


class UserDisabled(Event, type="user_disabled"):
    """A user was disabled. All their sessions ended."""

    user_id: str


class UserEnabled(Event, type="user_enabled"):
    """A disabled user was enabled and can sign in again."""

    user_id: str


class UserUnlocked(Event, type="user_unlocked"):
    """An administrator unlocked the address of a user."""

    user_id: str


class UserDeleted(Event, type="user_deleted"):
    """A user and all their data was deleted. `reason` is `guest_expired` for a guest who was not
    active for 30 days."""

    user_id: str
    reason: str | None = None


class GuestUpgraded(Event, type="guest_upgraded"):
    """A guest got a first credential and keeps their id. `method` says which: `email`, `password`,
    `passkey`, `idp` or `invitation`."""

    user_id: str
    method: str


class GuestKept(Event, type="guest_kept"):
    """A guest signed in to an account that existed already. The guest's account stays as it is."""

    guest_id: str
    user_id: str


class UserVerified(Event, type="user_verified"):
    """A user verified their e-mail address."""

    user_id: str


class UsersImported(Event, type="users_imported"):
    """Users were imported. A `batch_id` names the batch that did it, which has ended by then."""

    count: int
    batch_id: str | None = None


class UserBatchStarted(Event, type="user_batch_started"):
    """An act on many users was started. `act` says which, and `count` on how many."""

    batch_id: str
    act: str
    count: int


class UserBatchEnded(Event, type="user_batch_ended"):
    """An act on many users has ended. `state` is `done`, `cancelled` or `stopped`. The counts are
    those of rows that were done until then."""

    batch_id: str
    act: str
    state: str
    succeeded: int
    unchanged: int
    failed: int


class EmailChanged(Event, type="email_changed"):
    """A user changed their e-mail address to a verified one."""

    user_id: str


class OwnerClaimed(Event, type="owner_claimed"):
    """The owner link was used. Its user became an operator of this deployment."""

    user_id: str
