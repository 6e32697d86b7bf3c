"""The authorization request (RFC 6749 section 4.1.1, OpenID Connect Core 1.0 section 3.1.2.1)."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from common.context import Context
from common.contracts.provider_options import RequestParameter
from identity.deps import Deps
from identity.providers import calls
from identity.providers.metadata import provider_metadata
from identity.queries.identity_providers import Provider

OF_OPENID: Final[tuple[RequestParameter, ...]] = ("login_hint", "prompt", "max_age", "ui_locales")
"""Parameters that every OpenID provider understands."""


async def authorization_url(
    deps: Deps,
    ctx: Context,
    provider: Provider,
    *,
    state: str,
    nonce: str,
    code_challenge: str,
    redirect_uri: str,
    login_hint: str | None = None,
    prompt: str | None = None,
    max_age: int | None = None,
    ui_locales: str | None = None,
) -> str:
    """Returns the URL at the provider to which the browser is sent.

    `code_challenge` is the S256 challenge (RFC 7636). Parameters that the provider does not know are
    left out. Raises ProviderFailed.
    """
    metadata = await provider_metadata(deps, ctx, provider)
    options = calls.options_of(provider)
    wishes: dict[RequestParameter, str | None] = {
        "login_hint": login_hint,
        "prompt": prompt,
        "max_age": None if max_age is None else str(max_age),
        "ui_locales": ui_locales,
    }
    supported = options.request_params
    if supported is None:
        supported = list(OF_OPENID) if provider.type == "oidc" else []
    params: dict[str, str] = dict(options.authorization_params)
    params |= {name: value for name, value in wishes.items() if value and name in supported}
    if options.hosted_domain:
        params["hd"] = options.hosted_domain
    params |= _protocol(provider, state=state, nonce=nonce, code_challenge=code_challenge)
    return with_query(metadata.authorization_endpoint, params | {"redirect_uri": redirect_uri})


def _protocol(provider: Provider, *, state: str, nonce: str, code_challenge: str) -> dict[str, str]:
    """Returns the parameters that no setting of a provider can replace."""
    params = {"response_type": "code", "client_id": provider.client_id, "state": state}
    scopes = list(provider.scopes)
    if provider.type == "oidc":
        scopes = scopes if "openid" in scopes else ["openid", *scopes]
        if provider.nonce != "off":
            params["nonce"] = nonce
    if scopes:
        params["scope"] = " ".join(scopes)
    if provider.pkce:
        params |= {"code_challenge": code_challenge, "code_challenge_method": "S256"}
    if provider.response_mode != "query":
        params["response_mode"] = provider.response_mode
    return params


def with_query(url: str, params: dict[str, str]) -> str:
    """Returns the URL with these parameters. They replace those of the same name in its query."""
    parts = urlsplit(url)
    kept = [
        pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in params
    ]
    return urlunsplit(parts._replace(query=urlencode([*kept, *params.items()])))
