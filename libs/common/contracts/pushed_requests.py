"""The endpoint for pushed authorization requests (RFC 9126)."""

from __future__ import annotations

from pydantic import Field

from common.contracts.authorization import Params
from common.contracts.base import OPEN, Contract, Request


class PushedAuthorization(Contract):
    """The name of a pushed authorization request (RFC 9126 section 2.2)."""

    request_uri: str = Field(repr=False)
    expires_in: int = Field(
        description="The seconds in which the browser must come to the authorization endpoint."
    )


class PushAuthorization(
    Request[PushedAuthorization], subject="oidc.authorization.push", needs=OPEN, within=5.0
):
    """Checks and stores the parameters of an authorization request: POST /oauth2/par (RFC 9126
    section 2.1). Raises PushedRequestsAreOff, and what the authorization endpoint would refuse."""

    params: Params = Field(repr=False)
    basic: str | None = Field(default=None, repr=False)
    dpop: str | None = Field(
        default=None, repr=False, description="The DPoP header: the code is bound to its key."
    )
