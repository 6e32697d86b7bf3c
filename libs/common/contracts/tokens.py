"""The token, introspection and revocation endpoints (RFC 6749, RFC 7662, RFC 7009)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from common.contracts.authorization import Params
from common.contracts.base import OPEN, Contract, Done, Id, OpenContract, Request
from common.contracts.fields import Timestamp
from common.contracts.sessions import Factor, SecondFactor

MAX_PROOF = 4096
"""Characters of a DPoP proof."""


class Tokens(Contract, omit_none=True):
    """The tokens of a grant (RFC 6749 section 5.1)."""

    access_token: str = Field(repr=False)
    token_type: str = Field(default="Bearer", description="`DPoP` for a token bound to a key.")
    expires_in: int
    scope: str | None = Field(default=None, description="Left out if there is none.")
    id_token: str | None = Field(default=None, repr=False)
    refresh_token: str | None = Field(default=None, repr=False)
    authorization_details: list[dict[str, Any]] | None = Field(
        default=None, description="What was granted beyond the scopes (RFC 9396 section 7)."
    )
    issued_token_type: str | None = Field(
        default=None, description="Of a token exchange (RFC 8693 section 2.2.1)."
    )


class ExchangeToken(Request[Tokens], subject="oidc.token.exchange", needs=OPEN, within=5.0):
    """Exchanges a grant for tokens: POST /oauth2/token (RFC 6749 section 3.2)."""

    params: Params = Field(repr=False)
    basic: str | None = Field(default=None, repr=False)
    dpop: str | None = Field(
        default=None,
        max_length=MAX_PROOF,
        repr=False,
        description="The proof in the header DPoP (RFC 9449).",
    )


class AccessToken(Contract):
    """A valid access token. Everything that can end it was checked."""

    jti: str
    grant_id: str | None = Field(
        default=None,
        description="The grant of the token. Its end is published with the noun `token`.",
    )
    client_id: str
    user_id: Id | None = None
    session_id: Id | None = None
    scopes: list[str]
    audience: list[str] = []
    permissions: list[str] = Field(
        default=[], description="The permissions that the token has and its user still holds."
    )
    org_id: Id | None = None
    guest: bool = Field(default=False, description="Whether the user has no credentials yet.")
    actor_id: Id | None = Field(default=None, description="Who acts as the user.")
    actor_kind: Literal["user", "developer"] = "user"
    auth_time: Timestamp | None = Field(
        default=None, description="The user's last sign-in when the token was issued."
    )
    acr: str | None = Field(default=None, description="The class of that sign-in.")
    factor_times: dict[Factor, int] = Field(
        default={}, description="When each factor was last shown, in the session as it is now."
    )
    second_factors: list[SecondFactor] = Field(
        default=[], description="The second factors that the user has enrolled."
    )
    expires_at: Timestamp
    cnf: dict[str, str] | None = Field(
        default=None, description="What the token is bound to, and the request has proven."
    )


class CheckAccessToken(
    Request[AccessToken], subject="oidc.access_token.check", needs=OPEN, within=1.0, safe=True
):
    """Checks a bearer token and returns its facts. Raises InvalidToken, also for a token that is bound to a
    key."""

    token: str = Field(max_length=20_000, repr=False)


class CheckBoundAccessToken(
    Request[AccessToken], subject="oidc.access_token.check_bound", needs=OPEN, within=1.0
):
    """Checks an access token that is bound to a key, with the proof of the key for one request (RFC 9449
    section 7), and returns the token's facts. The proof is used up. Raises InvalidToken, InvalidDpopProof or
    UseDpopNonce."""

    token: str = Field(max_length=20_000, repr=False)
    proof: str = Field(max_length=MAX_PROOF, repr=False)
    method: str = Field(max_length=20)
    path: str = Field(max_length=8000)


class Introspection(OpenContract):
    """The state of a token (RFC 7662 section 2.2)."""

    active: bool


class IntrospectToken(
    Request[Introspection], subject="oidc.token.introspect", needs=OPEN, within=3.0, safe=True
):
    """Returns the state of a token: POST /oauth2/introspect (RFC 7662). Raises InvalidClient."""

    params: Params = Field(repr=False)
    basic: str | None = Field(default=None, repr=False)


class RevokeToken(Request[Done], subject="oidc.token.revoke", needs=OPEN, within=3.0):
    """Revokes a token: POST /oauth2/revoke (RFC 7009). Succeeds for unknown tokens, too. Raises
    InvalidClient."""

    params: Params = Field(repr=False)
    basic: str | None = Field(default=None, repr=False)
