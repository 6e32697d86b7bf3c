"""The domains that an organization's provider may speak for: those that the organization has verified."""

from __future__ import annotations

from common.address_keys import address_key
from common.context import Context
from common.db import Db
from identity.provider_failures import SignInEnded
from identity.providers.account import ProviderAccount
from identity.queries import accounts, sso
from identity.queries.accounts import Account
from identity.queries.identity_providers import Provider


def proven_address(at_provider: ProviderAccount, account: Account | None) -> str | None:
    """Returns the address that counts for the organization: what the provider has verified, else the
    user's own verified address. A provider with many customers may assert any address unverified."""
    if at_provider.email_verified and at_provider.email:
        return at_provider.email
    return account.email if account is not None and account.email_verified else None


async def check_asserted(
    ctx: Context, db: Db, provider: Provider, at_provider: ProviderAccount
) -> None:
    """Checks the address that the provider of an organization asserts, if there is one. Raises
    SignInEnded."""
    if provider.org_id is not None and at_provider.email is not None:
        await _check(ctx, db, provider.org_id, at_provider.email)


async def check_link(
    ctx: Context, tx: Db, provider: Provider, at_provider: ProviderAccount, *, user_id: str
) -> None:
    """Checks that an account at the provider of an organization may be connected to the user. Raises
    SignInEnded."""
    if provider.org_id is None:
        return
    await check_asserted(ctx, tx, provider, at_provider)
    account = await accounts.by_id(tx, app_id=ctx.app_id, id=user_id)
    await _check(ctx, tx, provider.org_id, proven_address(at_provider, account))


async def _check(ctx: Context, db: Db, org_id: str, email: str | None) -> None:
    domain = address_key(email or "").rpartition("@")[2]
    if not domain or not await sso.speaks_for(db, app_id=ctx.app_id, org_id=org_id, domain=domain):
        detail = f"the organization has not verified the domain {domain[:100]}"
        raise SignInEnded("email_refused", "domain", detail)
