"""The userinfo endpoint (OpenID Connect Core section 5.3)."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import OPEN, OpenContract, Request


class Userinfo(OpenContract, omit_none=True):
    """Claims about the user (OpenID Connect Core 5.3.2). If `jwt` is set, it is the whole answer,
    as application/jwt."""

    sub: str
    jwt: str | None = Field(default=None, repr=False)


class GetUserinfo(
    Request[Userinfo], subject="oidc.userinfo.get", needs=OPEN, within=2.0, safe=True
):
    """Returns claims about the user: GET or POST /oauth2/userinfo. Raises InvalidToken,
    InsufficientScope."""

    token: str = Field(max_length=20_000, repr=False)
    proven: dict[str, str] | None = Field(
        default=None,
        description="What the gateway has seen the request prove: see `AccessToken.cnf`.",
    )
