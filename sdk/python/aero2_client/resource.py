"""A protected resource: its metadata (RFC 9728), and the check of access tokens for it (RFC 9068)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jwt

from aero2_client import metadata
from aero2_client.jwks import KeysUnavailable, SigningKeys

ALGORITHMS: Final = ("ES256", "RS256", "PS256", "EdDSA")
TOKEN_TYPES: Final = ("at+jwt", "application/at+jwt")
LEEWAY: Final = 30
"""Seconds by which clocks may differ."""
MAX_TOKEN: Final = 16_384
"""Characters of an access token."""


@dataclass(frozen=True)
class AccessToken:
    """The claims of an access token that was checked."""

    subject: str
    client_id: str
    scopes: frozenset[str]
    expires_at: int
    claims: Mapping[str, Any] = field(repr=False)


class Refused(Exception):
    """The request is refused. `status`, `headers` and `body` are those of the answer (RFC 6750
    section 3)."""

    def __init__(self, status: int, *, error: str | None, description: str, challenge: str) -> None:
        """`challenge` is the value of WWW-Authenticate. It is empty if no token would help."""
        super().__init__(description)
        self.status, self.error, self.description = status, error, description
        self.headers = {"WWW-Authenticate": challenge} if challenge else {}
        self.body = {"error": error or "unauthorized", "error_description": description}


class ProtectedResource:
    """An API, or an MCP server, that accepts access tokens of one issuer for itself.

    `resource` is the identifier under which the API is registered at Aero2, and its URL. `issuer` is
    the URL of the application at Aero2. `scopes` are those that a client needs for everyday work: they
    are listed in the metadata, and clients request all of them.
    """

    def __init__(
        self,
        resource: str,
        *,
        issuer: str,
        scopes: Iterable[str] = (),
        name: str | None = None,
        documentation: str | None = None,
        keys: SigningKeys | None = None,
    ) -> None:
        """Raises ValueError for a resource that is no URL, and for the scope `offline_access`: it
        says how long a client gets tokens, and not what it may do here."""
        self.metadata_url = metadata.metadata_url(resource)
        self.resource, self.issuer = resource, issuer.rstrip("/")
        self.scopes = tuple(dict.fromkeys(scopes))
        if "offline_access" in self.scopes:
            raise ValueError("offline_access is no scope of a resource")
        self._name, self._documentation = name, documentation
        self._keys = keys or SigningKeys(f"{self.issuer}/oauth2/jwks.json")

    @property
    def host(self) -> str:
        """The host, and the port if there is one. Metadata is served for this host only."""
        return metadata.web_parts(self.resource).netloc.lower()

    @property
    def metadata_path(self) -> str:
        """The path at which the metadata is served."""
        return metadata.web_parts(self.metadata_url).path

    def metadata(self) -> dict[str, Any]:
        """Returns the metadata document (RFC 9728 section 2)."""
        members = {
            "resource": self.resource,
            "authorization_servers": [self.issuer],
            "scopes_supported": list(self.scopes) or None,
            "bearer_methods_supported": ["header"],
            "resource_name": self._name,
            "resource_documentation": self._documentation,
        }
        return {name: value for name, value in members.items() if value is not None}

    async def authorize(
        self, authorization: str | None, scopes: Iterable[str] | None = None
    ) -> AccessToken:
        """Checks the value of an Authorization header, and the scopes that this call needs.

        Without `scopes`, those of the resource are needed. Raises Refused: 401 without a valid token,
        403 `insufficient_scope`, and 503 if the issuer's keys cannot be fetched.
        """
        needed = self.scopes if scopes is None else tuple(scopes)
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise self._refused(401, None, "this needs an access token", needed)
        access_token = await self._verified(token.strip(), needed)
        missing = [name for name in needed if name not in access_token.scopes]
        if missing:
            description = f"the token lacks the scope {missing[0]}"
            raise self._refused(403, "insufficient_scope", description, needed)
        return access_token

    async def _verified(self, token: str, needed: tuple[str, ...]) -> AccessToken:
        try:
            return await self.verify(token)
        except jwt.InvalidTokenError as error:
            raise self._refused(401, "invalid_token", str(error), needed) from None
        except KeysUnavailable as error:
            raise Refused(
                503, error="temporarily_unavailable", description=str(error), challenge=""
            ) from None

    async def verify(self, token: str) -> AccessToken:
        """Checks signature, type, issuer, audience and time of a token (RFC 9068 section 4).

        Raises jwt.InvalidTokenError, or KeysUnavailable.
        """
        if len(token) > MAX_TOKEN:
            raise jwt.InvalidTokenError("the token is too long")
        header = jwt.get_unverified_header(token)
        if str(header.get("typ", "")).lower() not in TOKEN_TYPES:
            raise jwt.InvalidTokenError("this is no access token")
        key = await self._keys.get(str(header.get("kid", "")))
        if (
            key is None
            or header.get("alg") not in ALGORITHMS
            or key.algorithm_name != header["alg"]
        ):
            raise jwt.InvalidTokenError("the token is signed with another key")
        claims = jwt.decode(
            token,
            key=key,
            algorithms=[key.algorithm_name],
            issuer=self.issuer,
            leeway=LEEWAY,
            options={"require": ["exp", "iat", "sub", "aud", "iss"], "verify_aud": False},
        )
        self._check_audience(claims["aud"])
        return AccessToken(
            subject=claims["sub"],
            client_id=str(claims.get("client_id", "")),
            scopes=frozenset(str(claims.get("scope", "")).split()),
            expires_at=int(claims["exp"]),
            claims=claims,
        )

    def _check_audience(self, audience: object) -> None:
        """Refuses a token that is for another API: everybody who has it could use it here, too."""
        names = [audience] if isinstance(audience, str) else audience
        mine = metadata.same_resource(self.resource)
        if not isinstance(names, list) or mine not in {
            metadata.same_resource(name) for name in names if isinstance(name, str)
        }:
            raise jwt.InvalidAudienceError("the token is for another resource")

    def _refused(
        self, status: int, error: str | None, description: str, needed: tuple[str, ...]
    ) -> Refused:
        """Returns the refusal with a challenge that leads to the metadata (RFC 9728 section 5.1)."""
        parameters = {
            "error": error,
            "error_description": error and description,
            "scope": " ".join(needed) or None,
            "resource_metadata": self.metadata_url,
        }
        parts = [f'{name}="{_quoted(text)}"' for name, text in parameters.items() if text]
        challenge = f"Bearer {', '.join(parts)}"
        return Refused(status, error=error, description=description, challenge=challenge)


def _quoted(text: str) -> str:
    """Returns a text for a quoted parameter (RFC 6750 section 3 permits only some characters)."""
    return "".join(c if " " <= c <= "~" and c not in '"\\' else " " for c in text)
