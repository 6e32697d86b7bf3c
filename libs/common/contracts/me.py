"""The account of the caller."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from common.contracts.base import OPEN, SIGNED_IN, Contract, Done, Id, Request
from common.contracts.fields import Email, Secret, Timestamp, Token
from common.contracts.identities import Identity
from common.contracts.passkeys import Passkey
from common.contracts.profiles import Me, MyChanges, User
from common.contracts.second_factors import SecondFactors
from common.contracts.sessions import SessionEntry
from common.contracts.sign_in import Flow


class GetMe(Request[Me], subject="identity.me.get", needs=SIGNED_IN, safe=True):
    """Returns the profile of the caller."""


class UpdateMe(
    Request[Me],
    subject="identity.me.update",
    needs=SIGNED_IN,
    within=10.0,
    impersonated=True,
    conditional=True,
):
    """Changes the profile of the caller. Raises MetadataInvalid."""

    changes: MyChanges


class ChangeEmail(Request[Flow], subject="identity.me.change_email", needs=SIGNED_IN, fresh=True):
    """Sends a code to the new address. The address changes once it is confirmed. Needs a fresh
    sign-in. Raises FreshSignInNeeded."""

    email: Email


class ConfirmEmail(Request[Me], subject="identity.me.confirm_email", needs=SIGNED_IN):
    """Sets the new address and notifies the old one by e-mail. Raises WrongCode, CodeSpent,
    EmailTaken."""

    flow: Id
    code: str = Field(max_length=20, repr=False)


class VerifyEmail(Request[Done], subject="identity.me.verify_email", needs=OPEN):
    """Confirms an address with the link that was sent to it. Raises LinkSpent, EmailTaken."""

    token: Token = Field(repr=False)


class Export(Contract):
    """Everything that the application stores about a user, without secrets."""

    user: User
    sessions: list[SessionEntry]
    devices: list[dict[str, Any]]
    second_factors: SecondFactors | None = Field(
        default=None,
        description="The authenticator app and the devices that skip the second factor.",
    )
    passkeys: list[Passkey] = []
    identities: list[Identity] = Field(default=[], description="Connected accounts at providers.")
    events: list[dict[str, Any]] = []
    exported_at: Timestamp


class ExportMe(
    Request[Export],
    subject="identity.me.export",
    needs=SIGNED_IN,
    within=10.0,
    safe=True,
    impersonated=False,
):
    """Returns the data of the caller (GDPR article 20), with up to 1000 of their audit events."""


class DeleteMe(
    Request[Done], subject="identity.me.delete", needs=SIGNED_IN, within=10.0, fresh=True
):
    """Deletes the account of the caller. A `password` is checked. Needs a fresh sign-in. Raises
    FreshSignInNeeded, WrongCredentials, Locked. Raises LastAdmin if an organization with other
    members would have no admin left, and TeamOwnsApplications if a team with applications would have
    no member left."""

    password: Secret | None = Field(default=None, repr=False)
