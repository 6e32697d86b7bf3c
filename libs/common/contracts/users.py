"""Users, for administrators."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from common.contracts.base import Contract, Done, Id, Page, Request
from common.contracts.fields import Email, Metadata, Secret, Timestamp
from common.contracts.profiles import Profile, User, UserChanges
from common.problems import (
    Conflict,
    NotFound,
)


class Users(Contract):
    """A page of users."""

    users: list[User]
    next: str | None = None


class UserDetails(User):
    """A user, with what only the reply about one user has."""

    volatile: ClassVar[frozenset[str]] = User.volatile | {"locked_until"}

    locked_until: Timestamp | None = Field(
        default=None,
        description="After too many wrong passwords: when the address takes a password again.",
    )


class UserCount(Contract):
    """How many users match."""

    count: int
    relation: Literal["exact", "estimate", "at_least"] = Field(
        description="`exact` up to 1,000 users. Beyond that, `estimate` comes from the database's "
        "statistics. `at_least`: there may be more."
    )


class UserNotFound(NotFound):
    """The application has no user with this id or address."""

    code, title = "user_not_found", "This user does not exist."


class EmailTaken(Conflict):
    """Another user has this address."""

    code, title = "email_taken", "Another user already has this address."


class CreateUser(Request[User], subject="identity.user.create", needs="users:write", within=10.0):
    """Creates a user. Raises EmailTaken, WeakPassword, MetadataInvalid."""

    email: Email | None = None
    email_verified: bool = False
    phone_number_verified: bool = False
    password: Secret | None = Field(default=None, repr=False)
    profile: Profile = Profile()
    public_metadata: Metadata = {}
    private_metadata: Metadata = {}
    user_metadata: Metadata = {}


UserSearch = Annotated[
    str | None,
    Field(
        max_length=200,
        description="One or more words. Each must be the beginning of the e-mail address, of a part "
        "of it, or of a word of a name. Case and accents are ignored.",
    ),
]


class UserFilter(Contract):
    """Which users a list, a count or a batch is about."""

    search: UserSearch = None
    disabled: bool | None = None
    email_verified: bool | None = None


class ListUsers(
    UserFilter,
    Page,
    Request[Users],
    subject="identity.user.list",
    needs="users:read",
    safe=True,
    teammates=True,
):
    """Lists users, newest first. With `search`, lists them by the word that matches. A page of a
    search can be short or empty and have a next one. In the Dashboard, developers see the members
    of their own teams. To see all users, they need `developers:read`."""


class CountUsers(
    UserFilter,
    Request[UserCount],
    subject="identity.user.count",
    needs="users:read",
    safe=True,
    teammates=True,
):
    """Counts the users that ListUsers lists with the same filter. In the Dashboard, developers count
    the members of their own teams, unless they have `developers:read`."""


class GetUser(
    Request[UserDetails],
    subject="identity.user.get",
    needs="users:read",
    safe=True,
    teammates=True,
):
    """Returns one user. Raises UserNotFound."""

    user_id: Id


class FindUser(
    Request[UserDetails],
    subject="identity.user.find",
    needs="users:read",
    safe=True,
    teammates=True,
):
    """Returns the user with this address. Raises UserNotFound."""

    email: Email


class UpdateUser(
    Request[User],
    subject="identity.user.update",
    needs="users:write",
    within=10.0,
    conditional=True,
):
    """Changes a user. The address of an operator needs a fresh sign-in. Raises UserNotFound,
    EmailTaken, MetadataInvalid, FreshSignInNeeded."""

    user_id: Id
    changes: UserChanges


class DeleteUser(
    Request[Done],
    subject="identity.user.delete",
    needs="users:delete",
    fresh=True,
    conditional=True,
):
    """Deletes a user and all their data, even if they are the last admin of an organization. Raises
    UserNotFound, and LastHolder for the last operator."""

    user_id: Id


class DisableUser(Request[User], subject="identity.user.disable", needs="users:write"):
    """Prevents a user from signing in, and ends all their sessions and tokens at once. Raises
    UserNotFound, and LastHolder for the last operator."""

    user_id: Id


class EnableUser(Request[User], subject="identity.user.enable", needs="users:write"):
    """Lets a disabled user sign in again. An operator needs a fresh sign-in of the caller. Raises
    UserNotFound, FreshSignInNeeded."""

    user_id: Id


class ForceReset(Request[Done], subject="identity.user.force_reset", needs="users:write"):
    """Requires a new password: ends all sessions of the user and sends them an e-mail to reset it.
    Raises UserNotFound."""

    user_id: Id


class UnlockUser(Request[Done], subject="identity.user.unlock", needs="users:write"):
    """Resets the count of wrong passwords for a user's address. Raises UserNotFound."""

    user_id: Id
