"""The caller's own account."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from common.contracts.base import OPEN, SIGNED_IN, Contract, Done, Id, Request
from common.contracts.fields import Email, Secret, Timestamp, Token
from common.contracts.profiles import Me, MyChanges, User
from common.contracts.sessions import SessionEntry
from common.contracts.sign_in import Flow


class GetMe(Request[Me], subject="identity.me.get", needs=SIGNED_IN, safe=True):
    """The caller's own profile."""


class UpdateMe(Request[Me], subject="identity.me.update", needs=SIGNED_IN, within=10.0):
    """Change the caller's own profile. Raises MetadataInvalid."""

    changes: MyChanges


class ChangeEmail(Request[Flow], subject="identity.me.change_email", needs=SIGNED_IN):
    """Mail a code to the new address; it becomes the caller's once confirmed. Needs a fresh
    sign-in. Raises FreshSignInNeeded."""

    email: Email


class ConfirmEmail(Request[Me], subject="identity.me.confirm_email", needs=SIGNED_IN):
    """Raises WrongCode, CodeSpent, EmailTaken. The old address gets a mail."""

    flow: Id
    code: str = Field(max_length=20, repr=False)


class VerifyEmail(Request[Done], subject="identity.me.verify_email", needs=OPEN):
    """Confirm an address by the link mailed to it. Raises LinkSpent, EmailTaken."""

    token: Token = Field(repr=False)


class Export(Contract):
    """Everything identity holds of a user, without secrets."""

    user: User
    sessions: list[SessionEntry]
    devices: list[dict[str, Any]]
    events: list[dict[str, Any]] = []
    exported_at: Timestamp


class ExportMe(
    Request[Export], subject="identity.me.export", needs=SIGNED_IN, within=10.0, safe=True
):
    """The caller's data (GDPR article 20), with what the log says of them, a thousand events at
    most."""


class DeleteMe(Request[Done], subject="identity.me.delete", needs=SIGNED_IN, within=10.0):
    """Delete the caller's account. Needs the password, or a fresh sign-in where there is none.
    Raises FreshSignInNeeded, WrongCredentials, Locked; LastAdmin where an organization of others
    would stay behind without an admin, TeamOwnsApplications where applications would."""

    password: Secret | None = Field(default=None, repr=False)
