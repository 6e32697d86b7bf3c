"""Grants: the access that users gave to clients."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import SIGNED_IN, Contract, Done, Id, Page, Request
from common.contracts.fields import Timestamp


class Grant(Contract):
    """The access that a user gave to a client."""

    user_id: Id
    client_id: str
    client_name: str
    scopes: list[str]
    email: str | None = None
    name: str | None = None
    created_at: Timestamp
    updated_at: Timestamp
    unverified_host: str | None = Field(
        default=None,
        description="The host of a client whose name nobody of the application has checked: it registered itself, "
        "or is known by its document. `localhost` is an app on the user's device.",
    )


class Grants(Contract):
    """A page of grants."""

    grants: list[Grant]
    next: str | None = None


class ListClientGrants(
    Page, Request[Grants], subject="oidc.grant.list", needs="clients:read", safe=True
):
    """Lists the users who gave this client access."""

    client: str = Field(max_length=200)


class RevokedGrants(Contract):
    """The number of grants that were revoked."""

    revoked_count: int


class RevokeClientGrants(
    Request[RevokedGrants], subject="oidc.grant.revoke", needs="clients:write", within=5.0
):
    """Revokes the grants of all users or of one user to this client. Its tokens stop working."""

    client: str = Field(max_length=200)
    user_id: Id | None = None


class ListUserGrants(
    Request[Grants], subject="oidc.grant.list_user", needs="users:read", safe=True
):
    """Lists the clients that a user gave access, 1000 at most. Raises UserNotFound."""

    user_id: Id


class RevokeUserGrant(
    Request[Done], subject="oidc.grant.revoke_user", needs="users:write", within=5.0
):
    """Revokes a user's grant to a client. Its tokens for the user stop working. Raises
    ClientNotFound if there is neither a grant nor a token."""

    user_id: Id
    client_id: str = Field(max_length=200)


class ListMyGrants(Request[Grants], subject="oidc.grant.list_own", needs=SIGNED_IN, safe=True):
    """Lists the clients that the calling user gave access."""


class RevokeMyGrant(Request[Done], subject="oidc.grant.revoke_own", needs=SIGNED_IN):
    """Revokes the calling user's grant to a client. Its tokens for the user stop working."""

    client_id: str = Field(max_length=200)
