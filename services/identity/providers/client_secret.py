"""Authenticates us at a provider's token endpoint (RFC 6749 section 2.3.1)."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote_plus

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.exceptions import PyJWTError

from common import clock
from common.context import Context
from common.sealing import Unsealable
from identity.deps import Deps
from identity.providers import calls
from identity.providers.failures import ProviderFailed
from identity.queries.identity_providers import Provider

LIFETIME: Final = 300
"""Seconds for which a signed secret is valid. Each call has a new one, so none has to be renewed; Apple
accepts at most 15 777 000."""


@dataclass(frozen=True)
class ClientCredentials:
    """The headers and the fields of the body that authenticate us, and the secret among them."""

    headers: dict[str, str] = field(repr=False)
    fields: dict[str, str] = field(repr=False)
    secret: str = field(repr=False)


def secret_place(idp_id: str) -> tuple[str, str, str]:
    """Returns the place that the secret of a provider is sealed for."""
    return ("identity_providers", "client_secret", idp_id)


async def client_credentials(deps: Deps, ctx: Context, provider: Provider) -> ClientCredentials:
    """Returns the credentials for one call of the token endpoint. Raises ProviderFailed."""
    if provider.auth_method == "none":
        return ClientCredentials({}, {"client_id": provider.client_id}, "")
    secret = await _opened(deps, ctx, provider)
    if provider.auth_method == "signed_secret":
        secret = signed_secret(provider, secret)
    elif provider.auth_method == "client_secret_basic":
        pair = f"{quote_plus(provider.client_id)}:{quote_plus(secret)}"
        header = {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
        return ClientCredentials(header, {}, secret)
    fields = {"client_id": provider.client_id, "client_secret": secret}
    return ClientCredentials({}, fields, secret)


async def _opened(deps: Deps, ctx: Context, provider: Provider) -> str:
    if provider.client_secret_sealed is None:
        raise ProviderFailed("token", "the provider has no client secret")
    place = secret_place(provider.id)
    async with deps.db.reader(ctx) as db:
        try:
            secret = await deps.sealer.open(db, ctx.app_id, place, provider.client_secret_sealed)
        except Unsealable:
            raise ProviderFailed("token", "the client secret cannot be opened") from None
    return secret.decode()


def signed_secret(provider: Provider, pem: str) -> str:
    """Returns a client secret that the provider's private key signed. Raises ProviderFailed."""
    options, now = calls.options_of(provider), int(clock.now())
    claims = {
        "iss": options.team_id,
        "sub": provider.client_id,
        "aud": provider.issuer,
        "iat": now,
        "exp": now + LIFETIME,
    }
    key = private_key(pem)
    if key is None:
        raise ProviderFailed("token", "the private key of the client secret is malformed")
    try:
        return jwt.encode(claims, key, algorithm="ES256", headers={"kid": options.key_id})
    except (PyJWTError, ValueError, TypeError):
        raise ProviderFailed("token", "the client secret cannot be signed") from None


def private_key(pem: str) -> ec.EllipticCurvePrivateKey | None:
    """Returns the P-256 key of a PEM text, or None."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    return None
