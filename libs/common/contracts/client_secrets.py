"""Secrets of a confidential client."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import Contract, Done, Id, Request
from common.contracts.fields import Timestamp
from common.problems import Conflict


class ClientSecretExists(Conflict):
    """A secret was already created with this id."""

    code, title = (
        "client_secret_exists",
        "This secret was already created. It cannot be shown again.",
    )


class ClientSecret(Contract):
    """A secret of a client. Only its last characters are shown."""

    id: Id
    hint: str | None = Field(default=None, description="The last characters of the secret.")
    expires_at: Timestamp | None = None
    created_at: Timestamp


class NewSecret(ClientSecret):
    """A new secret of a client. It is shown only once."""

    client_id: str
    client_secret: str = Field(repr=False)


class ClientSecrets(Contract):
    """The secrets of a client."""

    secrets: list[ClientSecret]


class ListClientSecrets(
    Request[ClientSecrets], subject="oidc.client_secret.list", needs="clients:read", safe=True
):
    """Lists the secrets of a client. Raises ClientNotFound."""

    client: str = Field(max_length=200)


class RotateClientSecret(
    Request[NewSecret],
    subject="oidc.client_secret.rotate",
    needs="clients:write",
    within=5.0,
    fresh=True,
):
    """Creates a new secret. The old secrets stop working at once, or after `overlap` seconds. Raises
    ClientSecretExists."""

    client: str = Field(max_length=200)
    id: Id | None = Field(
        default=None,
        description="A new UUID. If you send the request twice, the second one creates no secret.",
    )
    overlap: int = Field(
        default=0, ge=0, le=2_592_000, description="How long the old secrets work, in seconds."
    )


class DeleteClientSecret(
    Request[Done], subject="oidc.client_secret.delete", needs="clients:write", fresh=True
):
    """Deletes a secret. Raises Conflict for the last secret of a client that needs one."""

    client: str = Field(max_length=200)
    secret_id: Id
