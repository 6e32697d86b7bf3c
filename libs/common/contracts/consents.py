"""Grants: which clients act for which user, and their end."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import SIGNED_IN, Contract, Done, Id, Page, Request
from common.contracts.fields import Timestamp


class Grant(Contract):
    """What a user allowed a client."""

    user_id: Id
    client_id: str
    client_name: str
    scopes: list[str]
    email: str | None = None
    name: str | None = None
    created_at: Timestamp
    updated_at: Timestamp


class Grants(Contract):
    grants: list[Grant]
    next: str | None = None


class ListClientGrants(
    Page, Request[Grants], subject="oidc.grant.list", needs="clients:read", safe=True
):
    """The users who allowed this client something."""

    client: str = Field(max_length=200)


class RevokedGrants(Contract):
    revoked_count: int


class RevokeClientGrants(
    Request[RevokedGrants], subject="oidc.grant.revoke", needs="clients:write", within=5.0
):
    """Withdraw what users allowed this client, of all or of one; its tokens for them are dead."""

    client: str = Field(max_length=200)
    user_id: Id | None = None


class ListMyGrants(Request[Grants], subject="oidc.grant.list_own", needs=SIGNED_IN, safe=True):
    """The clients that the calling user allowed something."""


class RevokeMyGrant(Request[Done], subject="oidc.grant.revoke_own", needs=SIGNED_IN):
    """Take back what the calling user allowed a client. Its tokens for them end."""

    client_id: str = Field(max_length=200)
