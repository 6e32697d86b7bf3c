"""Exchanges an authorization code for the account of the user at the provider."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from common.context import Context
from identity.deps import Deps
from identity.providers import calls, claim_mapping, email_address, id_token, issuers, token_call
from identity.providers.account import ProviderAccount, ProviderTokens
from identity.providers.failures import ProviderFailed
from identity.providers.id_token import IdTokenCheck
from identity.providers.metadata import ProviderMetadata, provider_metadata
from identity.queries.identity_providers import Provider

MAX_AMR: Final = 10


def check_issuer(provider: Provider, metadata: ProviderMetadata, iss: str | None) -> None:
    """Checks the `iss` of an authorization response (RFC 9207 section 2.4). Raises ProviderFailed with
    the step `issuer`.

    Call it before `error` or `code` of the response is used. A row without an issuer ignores `iss`: its
    callback has a path of its own, which no other provider's response reaches.
    """
    if provider.issuer is None:
        return
    if iss is None:
        if metadata.iss_promised and provider.iss_mode != "optional":
            raise ProviderFailed("issuer", "the response lacks iss, which the metadata promise")
        return
    named = iss[:500]
    tenant = issuers.tenant_of(provider, named) if issuers.is_template(provider) else None
    if not issuers.is_issuer(provider, named, tenant=tenant):
        raise ProviderFailed("issuer", f"the response is of another issuer: {named[:100]}")


async def provider_account(
    deps: Deps,
    ctx: Context,
    provider: Provider,
    *,
    code: str,
    code_verifier: str,
    nonce: str,
    redirect_uri: str,
    posted_user: dict[str, Any] | None = None,
    max_age: int | None = None,
) -> ProviderAccount:
    """Returns the account that the code stands for. Raises ProviderFailed.

    `posted_user` is the JSON object `user` that Apple posts once. `max_age` is the value in the
    authorization request: an older `auth_time` is refused. No database connection is held while the
    provider is called.
    """
    metadata = await provider_metadata(deps, ctx, provider)
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
    if provider.pkce:
        fields["code_verifier"] = code_verifier
    answer = await token_call.token_answer(
        deps, ctx, provider, url=metadata.token_endpoint, fields=fields
    )
    tokens = token_call.tokens_of(answer)
    signed: dict[str, Any] = {}
    if provider.type == "oidc":
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise ProviderFailed("id_token", "the token answer has no ID token")
        check = IdTokenCheck(nonce=nonce, access_token=tokens.access, max_age=max_age)
        signed = await id_token.verified_claims(
            deps, ctx, provider, token, metadata=metadata, check=check
        )
    profile = await _profile(deps, ctx, provider, metadata, answer=answer, tokens=tokens)
    if signed and profile and profile.get("sub") != signed["sub"]:
        raise ProviderFailed("userinfo", "UserInfo is about another user than the ID token")
    return await _account(
        deps, ctx, provider, signed, profile=profile, posted_user=posted_user, tokens=tokens
    )


async def _profile(
    deps: Deps,
    ctx: Context,
    provider: Provider,
    metadata: ProviderMetadata,
    *,
    answer: dict[str, Any],
    tokens: ProviderTokens,
) -> dict[str, Any]:
    """Returns the claims beside the ID token: UserInfo, a profile, or members of the token answer."""
    where = calls.options_of(provider).userinfo
    if where == "token_answer":
        return {name: value for name, value in answer.items() if not name.endswith("_token")}
    url = metadata.userinfo_endpoint
    if where == "off" or url is None:
        return {}
    headers = {"Authorization": f"Bearer {tokens.access}"}
    value = await calls.json_answer(deps, ctx, provider, "userinfo", url=url, headers=headers)
    profile = calls.json_object("userinfo", url, value)
    if profile.get("ok") is False:
        raise ProviderFailed("userinfo", "the provider answered with an error")
    return profile


async def _account(
    deps: Deps,
    ctx: Context,
    provider: Provider,
    signed: dict[str, Any],
    *,
    profile: dict[str, Any],
    posted_user: dict[str, Any] | None,
    tokens: ProviderTokens,
) -> ProviderAccount:
    sources = [source for source in (signed, profile) if source]
    addresses = calls.options_of(provider).emails
    if addresses is None:
        address = email_address.from_claims(provider, sources)
    else:
        address = await email_address.from_list(
            deps, ctx, provider, addresses, access_token=tokens.access
        )
    given_name, family_name = _posted_names(posted_user)
    return ProviderAccount(
        iss=provider.issuer or "",
        subject=claim_mapping.subject(provider, signed or profile),
        email=address.email,
        email_verified=address.verified,
        username=claim_mapping.text(provider, sources, "username"),
        name=claim_mapping.text(provider, sources, "name")
        or " ".join(filter(None, (given_name, family_name)))
        or None,
        given_name=claim_mapping.text(provider, sources, "given_name") or given_name,
        family_name=claim_mapping.text(provider, sources, "family_name") or family_name,
        picture=claim_mapping.picture(provider, sources),
        locale=claim_mapping.locale(provider, sources),
        acr=_acr(signed.get("acr")),
        amr=_amr(signed.get("amr")),
        auth_time=_moment(signed.get("auth_time")),
        claims=profile | signed,
        tokens=tokens,
    )


def _posted_names(posted_user: dict[str, Any] | None) -> tuple[str | None, str | None]:
    """Returns the names that a browser posted. They are texts for people and nothing else: the address
    beside them came through the browser, and is not read."""
    names = (posted_user or {}).get("name")
    if not isinstance(names, dict):
        return None, None
    first, last = names.get("firstName"), names.get("lastName")
    return claim_mapping.visible(first), claim_mapping.visible(last)


def _acr(value: object) -> str | None:
    return value[:200] if isinstance(value, str) and value.isprintable() else None


def _amr(value: object) -> tuple[str, ...]:
    names = value if isinstance(value, list) else []
    return tuple(name[:50] for name in names if isinstance(name, str) and name.isprintable())[
        :MAX_AMR
    ]


def _moment(value: object) -> datetime | None:
    """Returns a NumericDate as a moment, or None if no calendar has it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


async def refreshed_tokens(
    deps: Deps, ctx: Context, provider: Provider, *, refresh_token: str
) -> ProviderTokens:
    """Returns new tokens for a refresh token (RFC 6749 section 6). Raises ProviderFailed.

    The tokens have the old refresh token if the provider sends no new one.
    """
    metadata = await provider_metadata(deps, ctx, provider)
    fields = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    answer = await token_call.token_answer(
        deps, ctx, provider, url=metadata.token_endpoint, fields=fields
    )
    return token_call.tokens_of(answer, refresh=refresh_token)
