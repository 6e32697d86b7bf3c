"""The connection between a user and an account at a provider: creating, refreshing and removing it."""

from __future__ import annotations

from typing import Final

from common import audit
from common.context import Context
from common.contracts.identities import TooManyIdentities
from common.db import Db
from common.events.identities import IdentityLinked, IdentityUnlinked
from common.ids import new_id
from identity import provider_domains
from identity.deps import Deps
from identity.providers.account import ProviderAccount
from identity.queries import accounts, identity_links, link_proofs
from identity.queries.identity_links import NewLink, RemovedLink
from identity.queries.identity_providers import Provider

MOST: Final = 50
"""Accounts at providers that one user may connect."""


async def check_number(ctx: Context, db: Db, user_id: str) -> None:
    """Raises TooManyIdentities if the user has connected as many accounts as one user can."""
    if await identity_links.count_of_user(db, app_id=ctx.app_id, user_id=user_id) >= MOST:
        raise TooManyIdentities


async def connect(
    deps: Deps,
    ctx: Context,
    tx: Db,
    *,
    provider: Provider,
    provider_account: ProviderAccount,
    user_id: str,
    by: str,
) -> None:
    """Connects an account to a user whose row is locked. `by` is that of the event. Raises
    UniqueViolationError (user_identity_links_idp_user_key) if it is connected to a user; SignInEnded if
    the provider's organization has not verified the domain of the address; TooManyIdentities."""
    await check_number(ctx, tx, user_id)
    await provider_domains.check_link(ctx, tx, provider, provider_account, user_id=user_id)
    link = await _link(
        deps,
        ctx,
        tx,
        new_id(),
        provider=provider,
        provider_account=provider_account,
        user_id=user_id,
    )
    await identity_links.insert(tx, app_id=ctx.app_id, new=link)
    await link_proofs.end_of_account(
        tx,
        app_id=ctx.app_id,
        idp_id=provider.id,
        iss=provider_account.iss,
        subject=provider_account.subject,
    )
    event = IdentityLinked(user_id=user_id, link_id=link.id, provider=provider.name, by=by)
    await audit.record(tx, ctx, event, user_id=user_id)


async def refresh(
    deps: Deps,
    ctx: Context,
    tx: Db,
    link_id: str,
    *,
    provider: Provider,
    provider_account: ProviderAccount,
    user_id: str,
) -> bool:
    """Stores what the provider says now. A new address stays on the link: it never replaces the user's
    own. Returns False if the link is gone."""
    link = await _link(
        deps,
        ctx,
        tx,
        link_id,
        provider=provider,
        provider_account=provider_account,
        user_id=user_id,
    )
    return await identity_links.refresh(tx, app_id=ctx.app_id, new=link)


async def disconnect(
    ctx: Context, tx: Db, *, user_id: str, link_id: str, by: str
) -> RemovedLink | None:
    """Removes a link of a user whose row is locked, with every proof of the same account. Returns None
    if the user has no such link."""
    removed = await identity_links.delete(tx, app_id=ctx.app_id, user_id=user_id, id=link_id)
    if removed is None:
        return None
    await link_proofs.end_of_account(
        tx, app_id=ctx.app_id, idp_id=removed.idp_id, iss=removed.iss, subject=removed.subject
    )
    await link_proofs.end_of_user(tx, app_id=ctx.app_id, user_id=user_id)
    await accounts.raise_factor_epoch(tx, app_id=ctx.app_id, user_id=user_id)
    event = IdentityUnlinked(user_id=user_id, link_id=link_id, provider=removed.provider, by=by)
    await audit.record(tx, ctx, event, user_id=user_id)
    return removed


async def _link(
    deps: Deps,
    ctx: Context,
    tx: Db,
    id: str,
    *,
    provider: Provider,
    provider_account: ProviderAccount,
    user_id: str,
) -> NewLink:
    tokens = provider_account.tokens
    stored = bool(provider.options.get("store_tokens"))
    return NewLink(
        id=id,
        user_id=user_id,
        idp_id=provider.id,
        iss=provider_account.iss,
        subject=provider_account.subject,
        username=provider_account.username or provider_account.name,
        email=provider_account.email,
        access_token_sealed=await _sealed(
            deps,
            ctx,
            tx,
            place=("user_identity_links", "access_token", id),
            token=tokens.access if stored else None,
        ),
        refresh_token_sealed=await _sealed(
            deps,
            ctx,
            tx,
            place=("user_identity_links", "refresh_token", id),
            token=tokens.refresh if stored else None,
        ),
        token_scopes=list(tokens.scopes) if stored else [],
        token_expires_at=tokens.expires_at if stored else None,
    )


async def _sealed(
    deps: Deps, ctx: Context, tx: Db, *, place: tuple[str, str, str], token: str | None
) -> str | None:
    if token is None:
        return None
    return await deps.sealer.seal(tx, ctx.app_id, place, token.encode())
