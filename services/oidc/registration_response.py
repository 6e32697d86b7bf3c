"""The answer to a client that registered itself (RFC 7591 section 3.2.1, RFC 7592 section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from pydantic import JsonValue

from common.context import Context
from common.contracts.client_registration import ClientInformation
from common.contracts.clients import Client, ClientFields
from oidc import new_client_secret, registration_metadata

PATH: Final = "/oauth2/register"


def of_new(
    ctx: Context,
    client_id: str,
    fields: Client | ClientFields,
    kept: Mapping[str, JsonValue],
    *,
    access_token: str,
    secret: str | None,
    issued_at: datetime,
) -> ClientInformation:
    """Returns all registered metadata, with the credentials of the client. `secret` is known only when it is made. Its time
    of expiry is told of every client that has one: 0, because it does not expire."""
    members: dict[str, JsonValue] = {
        **registration_metadata.wire_of(fields, kept),
        "client_id": client_id,
        "client_id_issued_at": int(issued_at.timestamp()),
        "registration_access_token": access_token,
        "registration_client_uri": f"{ctx.origin}{PATH}/{client_id}",
    }
    if fields.token_endpoint_auth_method in new_client_secret.METHODS:
        members["client_secret_expires_at"] = 0
    if secret is not None:
        members["client_secret"] = secret
    return ClientInformation.model_validate(members)


def of_registered(
    ctx: Context, client: Client, kept: Mapping[str, JsonValue], access_token: str
) -> ClientInformation:
    """Returns the same of a client that exists. We do not know its secret."""
    return of_new(
        ctx,
        client.client_id,
        client,
        kept,
        access_token=access_token,
        secret=None,
        issued_at=client.created_at,
    )
