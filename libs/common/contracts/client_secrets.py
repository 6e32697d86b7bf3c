"""Secrets of a confidential client."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import Contract, Done, Id, Request
from common.contracts.fields import Timestamp


class ClientSecret(Contract):
    """One of a client's secrets, without the secret itself."""

    id: Id
    hint: str | None = Field(default=None, description="Its last characters.")
    expires_at: Timestamp | None = None
    created_at: Timestamp


class NewSecret(ClientSecret):
    client_id: str
    client_secret: str = Field(repr=False)


class ClientSecrets(Contract):
    secrets: list[ClientSecret]


class ListClientSecrets(
    Request[ClientSecrets], subject="oidc.client_secret.list", needs="clients:read", safe=True
):
    client: str = Field(max_length=200)


class RotateClientSecret(
    Request[NewSecret], subject="oidc.client_secret.rotate", needs="clients:write", within=5.0
):
    """A new secret. The old ones are dead at once, or live `overlap` seconds more."""

    client: str = Field(max_length=200)
    overlap: int = Field(default=0, ge=0, le=2_592_000, description="Seconds.")


class DeleteClientSecret(Request[Done], subject="oidc.client_secret.delete", needs="clients:write"):
    """Raises Conflict for the last secret of a client that needs one."""

    client: str = Field(max_length=200)
    secret_id: Id
