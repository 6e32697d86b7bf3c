"""The link by which a deployment gets its first operator."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import OPEN, SYSTEM, Contract, Done, Request
from common.contracts.fields import Email, Name, Secret, Timestamp, Token
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import Attempt


class OwnerLink(Contract):
    """A link that makes its holder the operator of this deployment, once."""

    token: str = Field(repr=False)
    url: str = Field(repr=False)
    expires_at: Timestamp


class CreateOwnerLink(Request[OwnerLink], subject="identity.owner.link", needs=SYSTEM):
    """In the dashboard's context. The links made before are dead."""

    ttl: int = Field(default=86_400, ge=60, le=604_800, description="Seconds.")


class GetOwnerLink(Request[Done], subject="identity.owner.get", needs=OPEN, safe=True):
    """Whether an owner link still holds. Raises LinkSpent."""

    token: Token = Field(repr=False)


class ClaimOwner(
    Attempt, Request[SignedInSession], subject="identity.owner.claim", needs=OPEN, within=10.0
):
    """Become the operator. Raises LinkSpent, EmailTaken, WeakPassword (the link stays good then)."""

    token: Token = Field(repr=False)
    email: Email
    password: Secret | None = Field(default=None, repr=False)
    name: Name | None = None
