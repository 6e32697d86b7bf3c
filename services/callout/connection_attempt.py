"""The question of a NATS server when somebody connects (NATS ADR 26)."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from callout import nats_jwt
from callout.nats_jwt import BadNatsToken

AUDIENCE: Final = "nats-authorization-request"
KIND: Final = "authorization_request"


class ServerId(BaseModel):
    """The server that asks."""

    id: str
    xkey: str | None = None


class ConnectOptions(BaseModel):
    """The options that the client sent with CONNECT."""

    auth_token: str | None = Field(default=None, repr=False)
    user: str | None = None
    password: str | None = Field(default=None, alias="pass", repr=False)

    @property
    def credential(self) -> str | None:
        """The token or key of the client."""
        return self.auth_token or self.password


class ConnectingClient(BaseModel):
    """Where the client is."""

    host: str | None = None


class ConnectionAttempt(BaseModel):
    """One question: who connects, and the key that the answer must name."""

    model_config = ConfigDict(frozen=True)

    server_id: ServerId
    user_nkey: str
    client_info: ConnectingClient = ConnectingClient()
    connect_opts: ConnectOptions = ConnectOptions()


def read(token: bytes, server_xkey: str) -> ConnectionAttempt:
    """Returns the request in a decrypted message. Raises BadNatsToken unless the server that encrypted it
    has signed it."""
    claims = nats_jwt.decode_of_server(token)
    nats: Any = claims.get("nats")
    if claims.get("aud") != AUDIENCE or not isinstance(nats, dict) or nats.get("type") != KIND:
        raise BadNatsToken("no authorization request")
    try:
        request = ConnectionAttempt.model_validate(nats)
    except ValidationError as error:
        raise BadNatsToken(f"{error.error_count()} members are missing or malformed") from None
    if request.server_id.id != claims["iss"] or request.server_id.xkey not in (None, server_xkey):
        raise BadNatsToken("the request is of another server")
    return request
