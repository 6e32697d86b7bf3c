"""Steps of a relying party at the oidc service of a `World`."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
from tests.kit.callers import ADMIN
from tests.kit.factories import CALLBACK, Factories, Person

from common.context import Context
from common.contracts.authorization import Authorization, Authorize, ResumeAuthorization
from common.contracts.base import Request
from common.contracts.clients import NewClient
from common.contracts.keys import GetJwks
from common.contracts.tokens import ExchangeToken, Tokens
from common.testing import LocalBus

ORIGIN = "https://acme.example.test"
VERIFIER = "v" * 43


def challenge(verifier: str) -> str:
    """Returns the S256 challenge of a PKCE verifier (RFC 7636 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def basic_of(client_id: str, secret: str) -> str:
    """Returns the credentials of an Authorization header (RFC 7617)."""
    return base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def fields(answer: Authorization) -> dict[str, str]:
    """Returns what the client gets, in any response mode."""
    if answer.kind == "form_post":
        return dict(answer.fields)
    assert answer.kind == "redirect", answer
    assert answer.location is not None
    parts = urlsplit(answer.location)
    return dict(parse_qsl(parts.query or parts.fragment, keep_blank_values=True))


class OAuthSteps(Factories):
    async def admin(self, request: Request[Any]) -> Any:
        """Returns the reply to a call with a secret key."""
        return await self.call(request, ADMIN)

    async def authorize(
        self, client: NewClient, person: Person | None, /, *more: tuple[str, str], **params: Any
    ) -> Authorization:
        sent = self.request(client, **params)
        session = person.session if person else None
        return await self.call(Authorize(params=[*sent.items(), *more], session=session))

    def request(self, client: NewClient, **params: Any) -> dict[str, str]:
        """Returns a valid authorization request; None leaves a parameter out."""
        defaults = {
            "client_id": client.client_id,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid email",
            "state": "st",
            "code_challenge": challenge(VERIFIER),
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (defaults | params).items() if value is not None}

    async def resume(
        self, request: str | None, person: Person | None, **more: Any
    ) -> Authorization:
        assert request is not None
        session = person.session if person else None
        return await self.call(ResumeAuthorization(request=request, session=session, **more))

    async def code(self, client: NewClient, person: Person, **params: Any) -> str:
        return fields(await self.authorize(client, person, **params))["code"]

    async def token(
        self,
        client: NewClient | None = None,
        /,
        *,
        bus: LocalBus | None = None,
        ctx: Context | None = None,
        dpop: str | None = None,
        **params: Any,
    ) -> Tokens:
        """Sends a token request, with Basic authentication if the client has a secret."""
        sent = {name: value for name, value in params.items() if value is not None}
        basic = None
        if client is not None and client.client_secret is not None:
            basic = basic_of(client.client_id, client.client_secret)
        elif client is not None:
            sent.setdefault("client_id", client.client_id)
        request = ExchangeToken(params=list(sent.items()), basic=basic, dpop=dpop)
        return await (bus or self.bus).call(ctx or self.ctx(), request)

    async def redeem(
        self,
        client: NewClient,
        code: str,
        *,
        bus: LocalBus | None = None,
        ctx: Context | None = None,
        **params: Any,
    ) -> Tokens:
        sent = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        }
        return await self.token(client, bus=bus, ctx=ctx, **sent | params)

    async def refresh(self, client: NewClient, token: str | None, **params: Any) -> Tokens:
        return await self.token(client, grant_type="refresh_token", refresh_token=token, **params)

    async def tokens(self, client: NewClient, person: Person, **params: Any) -> Tokens:
        return await self.redeem(client, await self.code(client, person, **params))

    async def claims(self, token: str | None, audience: str | None = None) -> dict[str, Any]:
        """Returns a token's claims, verified with the published keys by an independent library."""
        assert token is not None
        jwks = (await self.call(GetJwks())).model_dump()
        header = jwt.get_unverified_header(token)
        key = next(jwk for jwk in jwks["keys"] if jwk["kid"] == header["kid"])
        return jwt.decode(
            token,
            jwt.PyJWK(key),
            algorithms=[key["alg"]],
            audience=audience or ORIGIN,
            issuer=ORIGIN,
        )
