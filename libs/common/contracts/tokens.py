"""The token, introspection and revocation endpoints (RFC 6749, RFC 7662, RFC 7009)."""

from __future__ import annotations

from pydantic import Field

from common.contracts.authorization import Params
from common.contracts.base import OPEN, Contract, Done, Id, OpenContract, Request
from common.contracts.fields import Timestamp


class Tokens(Contract, omit_none=True):
    """RFC 6749 section 5.1."""

    access_token: str = Field(repr=False)
    token_type: str = "Bearer"  # noqa: S105
    expires_in: int
    scope: str | None = Field(default=None, description="Left out where there is none.")
    id_token: str | None = Field(default=None, repr=False)
    refresh_token: str | None = Field(default=None, repr=False)


class ExchangeToken(Request[Tokens], subject="oidc.token.exchange", needs=OPEN, within=5.0):
    """POST /oauth2/token (RFC 6749 section 3.2)."""

    params: Params = Field(repr=False)
    basic: str | None = Field(default=None, repr=False)


class AccessToken(Contract):
    """A valid access token, checked against everything that can end it."""

    jti: str
    grant_id: str | None = Field(
        default=None, description="The authorization it belongs to: noun `token` when it ends."
    )
    client_id: str
    user_id: Id | None = None
    session_id: Id | None = None
    scopes: list[str]
    audience: list[str] = []
    permissions: list[str] = Field(default=[], description="Rights it carries and its user holds.")
    org_id: Id | None = None
    expires_at: Timestamp


class CheckAccessToken(
    Request[AccessToken], subject="oidc.access_token.check", needs=OPEN, within=1.0, safe=True
):
    """Who a bearer token speaks for. Raises InvalidToken."""

    token: str = Field(max_length=20_000, repr=False)


class Introspection(OpenContract):
    """RFC 7662 section 2.2."""

    active: bool


class IntrospectToken(
    Request[Introspection], subject="oidc.token.introspect", needs=OPEN, within=3.0, safe=True
):
    """POST /oauth2/introspect. Raises InvalidClient."""

    params: Params = Field(repr=False)
    basic: str | None = Field(default=None, repr=False)


class RevokeToken(Request[Done], subject="oidc.token.revoke", needs=OPEN, within=3.0):
    """POST /oauth2/revoke (RFC 7009). Done for an unknown token too. Raises InvalidClient."""

    params: Params = Field(repr=False)
    basic: str | None = Field(default=None, repr=False)
