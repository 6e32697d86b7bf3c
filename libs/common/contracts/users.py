"""Users, as administrators handle them."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import Contract, Done, Id, Page, Request
from common.contracts.fields import Email, Metadata, Secret
from common.contracts.profiles import Profile, User, UserChanges
from common.problems import (
    Conflict,
    NotFound,
)


class Users(Contract):
    users: list[User]
    next: str | None = None


class UserNotFound(NotFound):
    code, title = "user_not_found", "There is no such user."


class EmailTaken(Conflict):
    code, title = "email_taken", "Another user has this address already."


class CreateUser(Request[User], subject="identity.user.create", needs="users:write", within=10.0):
    """Raises EmailTaken, WeakPassword, MetadataInvalid."""

    email: Email | None = None
    email_verified: bool = False
    phone_number_verified: bool = False
    password: Secret | None = Field(default=None, repr=False)
    profile: Profile = Profile()
    public_metadata: Metadata = {}
    private_metadata: Metadata = {}
    user_metadata: Metadata = {}


class ListUsers(
    Page,
    Request[Users],
    subject="identity.user.list",
    needs="users:read",
    safe=True,
    teammates=True,
):
    """Users of the application, the newest first; with `search`, by the word that matches. In the
    Dashboard a developer sees members of their own teams; everybody else takes `developers:read`."""

    search: str | None = Field(
        default=None,
        max_length=200,
        description="One or more words. Finds users whose e-mail address, part of it, or a word of "
        "whose names begins with each of them; case and accents are ignored.",
    )
    disabled: bool | None = None
    email_verified: bool | None = None


class GetUser(
    Request[User],
    subject="identity.user.get",
    needs="users:read",
    safe=True,
    teammates=True,
):
    """Raises UserNotFound."""

    user_id: Id


class FindUser(
    Request[User],
    subject="identity.user.find",
    needs="users:read",
    safe=True,
    teammates=True,
):
    """The user with this address. Raises UserNotFound."""

    email: Email


class UpdateUser(Request[User], subject="identity.user.update", needs="users:write", within=10.0):
    """Raises UserNotFound, EmailTaken, MetadataInvalid."""

    user_id: Id
    changes: UserChanges


class DeleteUser(Request[Done], subject="identity.user.delete", needs="users:delete"):
    """Delete a user and all their data, also if they are the last admin of an organization. Raises
    UserNotFound."""

    user_id: Id


class DisableUser(Request[User], subject="identity.user.disable", needs="users:write"):
    """No more sign-in; every session and token ends at once. Raises UserNotFound."""

    user_id: Id


class EnableUser(Request[User], subject="identity.user.enable", needs="users:write"):
    """Raises UserNotFound."""

    user_id: Id


class ForceReset(Request[Done], subject="identity.user.force_reset", needs="users:write"):
    """Require a new password: sessions end and a reset mail goes out.
    Raises UserNotFound."""

    user_id: Id


class UnlockUser(Request[Done], subject="identity.user.unlock", needs="users:write"):
    """Forget the wrong passwords of a user's address. Raises UserNotFound."""

    user_id: Id
