"""The owner link, which creates the first operator of a deployment."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import OPEN, SYSTEM, Contract, Done, Request
from common.contracts.fields import Email, Name, Secret, Timestamp, Token
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import Attempt


class OwnerLink(Contract):
    """A link that makes its user an operator of this deployment. It works once."""

    token: str = Field(repr=False)
    url: str = Field(repr=False)
    expires_at: Timestamp


class CreateOwnerLink(Request[OwnerLink], subject="identity.owner.link", needs=SYSTEM):
    """Creates an owner link, in the context of the Dashboard. Earlier links stop working."""

    ttl: int = Field(
        default=86_400, ge=60, le=604_800, description="How long the link works, in seconds."
    )


class GetOwnerLink(Request[Done], subject="identity.owner.get", needs=OPEN, safe=True):
    """Checks that an owner link still works. Raises LinkSpent."""

    token: Token = Field(repr=False)


class ClaimOwner(
    Attempt, Request[SignedInSession], subject="identity.owner.claim", needs=OPEN, within=10.0
):
    """Creates the first operator and signs them in. Raises LinkSpent, EmailTaken, WeakPassword.
    After WeakPassword the link still works."""

    token: Token = Field(repr=False)
    email: Email
    password: Secret | None = Field(default=None, repr=False)
    name: Name | None = None
