"""Whose account here an account at a provider is.

The key of a link is the provider, the issuer and the subject. An address alone never decides: it leads to
an existing account only if both sides have verified it and the provider may speak for addresses.
"""

from __future__ import annotations

from dataclasses import replace

from common.address_keys import address_key
from common.context import Context
from common.contracts.invitations import InvitationNotFound
from common.db import Db
from identity import (
    guests,
    identity_linking,
    link_proofs,
    provider_domains,
    session_start,
    sign_up,
)
from identity.authentication_result import AuthenticationResult
from identity.deps import Deps
from identity.provider_failures import SignInEnded
from identity.provider_flow import AccountAppeared, ProofKind, Resolution, SignInFlow, profile_of
from identity.queries import accounts, identity_links, users
from identity.queries.accounts import Account
from identity.queries.codes import ConsumedEmailCode
from identity.queries.identity_links import IdentityLink


async def with_admission(deps: Deps, ctx: Context, flow: SignInFlow, email: str) -> SignInFlow:
    """Returns the flow with what its invitation admits the address to. No connection to the database
    is held: another service may be asked. Raises SignInEnded if an invitation into the application is
    for another address."""
    if flow.invitation is None:
        return flow
    offer = await sign_up.open_invitation(deps, ctx, flow.invitation)
    try:
        admission = await sign_up.admission_by(deps, ctx, offer, email=email, token=flow.invitation)
    except InvitationNotFound:
        if offer is None:
            return flow
        detail = "the invitation is for another address"
        raise SignInEnded("other_invitation", "sign_up", detail) from None
    return replace(flow, admission=admission, role_ids=offer.role_ids if offer else [])


async def resolve(deps: Deps, ctx: Context, tx: Db, flow: SignInFlow) -> Resolution:
    """Signs in the user of the account, creates a user, or starts a proof. Raises SignInEnded,
    AccountAppeared, AccountDisabled, SignUpClosed, Invalid, InvitationNotFound."""
    link = await link_of(ctx, tx, flow)
    if link is not None:
        return Resolution(await sign_in_linked(deps, ctx, tx, flow, link=link))
    await provider_domains.check_asserted(ctx, tx, flow.provider, flow.account)
    email = flow.verified_email
    if email is None:
        return await _prove(deps, ctx, tx, flow, kind="address")
    existing = await accounts.by_email(tx, app_id=ctx.app_id, email=email)
    if existing is None:
        started = await sign_up_with(deps, ctx, tx, flow, email=email)
        return Resolution(started, signed_up=True)
    return await _join(deps, ctx, tx, flow, user_id=existing.id)


async def link_of(ctx: Context, tx: Db, flow: SignInFlow) -> IdentityLink | None:
    """Returns the link of the account at the provider."""
    return await identity_links.by_subject(
        tx,
        app_id=ctx.app_id,
        idp_id=flow.provider.id,
        iss=flow.account.iss,
        subject=flow.account.subject,
    )


async def sign_in_linked(
    deps: Deps,
    ctx: Context,
    tx: Db,
    flow: SignInFlow,
    *,
    link: IdentityLink,
    previous: str | None = None,
) -> session_start.StartedSession:
    """Starts a session for the user of a link, or replaces the session `previous`."""
    account = await locked(ctx, tx, link.user_id)
    if not await identity_linking.refresh(
        deps,
        ctx,
        tx,
        link.id,
        provider=flow.provider,
        provider_account=flow.account,
        user_id=link.user_id,
    ):
        raise AccountAppeared
    if flow.tenant.settings.require_verified_email and not account.email_verified:
        raise SignInEnded("email_unverified", "account", "the user's address is not verified")
    result = flow.result(previous=previous)
    return await begin(deps, ctx, tx, flow, account=account, result=result)


async def begin(
    deps: Deps,
    ctx: Context,
    tx: Db,
    flow: SignInFlow,
    *,
    account: Account,
    result: AuthenticationResult,
) -> session_start.StartedSession:
    """Starts the session. A guest of the browser who has not become this account is named in the log."""
    result = guests.with_guest(flow.guest, account=account, result=result)
    return await session_start.begin(deps, ctx, tx, flow.tenant, account=account, result=result)


async def _join(deps: Deps, ctx: Context, tx: Db, flow: SignInFlow, *, user_id: str) -> Resolution:
    """Connects an existing account with the same address, if the application allows it."""
    account = await locked(ctx, tx, user_id)
    if await link_of(ctx, tx, flow) is not None:
        raise AccountAppeared
    policy = flow.tenant.settings.link_policy
    if policy == "never":
        raise SignInEnded("account_exists", "link", "link_policy is `never`")
    # A second account at the same provider: the address may have a new owner there.
    other = await identity_links.has_of_provider(
        tx, app_id=ctx.app_id, user_id=account.id, idp_id=flow.provider.id
    )
    if policy == "ask" or other or not account.email_verified:
        return await _prove(
            deps, ctx, tx, flow, kind="account", user_id=account.id, by_mail=not other
        )
    await identity_linking.connect(
        deps,
        ctx,
        tx,
        provider=flow.provider,
        provider_account=flow.account,
        user_id=account.id,
        by="verified_address",
    )
    return Resolution(await begin(deps, ctx, tx, flow, account=account, result=flow.result()))


async def sign_up_with(
    deps: Deps, ctx: Context, tx: Db, flow: SignInFlow, *, email: str, mailed: bool = False
) -> session_start.StartedSession:
    """Creates a user with a proven address, and connects the account. `mailed`: a mail of ours proved the
    address. The same rules hold as for every sign-up."""
    profile = profile_of(flow.account)
    payload = {"email": email, "name": profile.get("name"), "locale": flow.locale, **flow.admission}
    proven = ConsumedEmailCode(
        id="", email=address_key(email), user_id=None, type="idp", payload=payload
    )
    guest = await guests.get_locked(ctx, tx, flow.guest)
    account, fresh = await sign_up.get_or_create_account(
        deps, ctx, tx, flow.tenant, consumed_code=proven, guest=guest
    )
    if not fresh and (guest is None or account.id != guest.user_id):
        raise AccountAppeared
    if profile:
        await users.update(tx, app_id=ctx.app_id, id=account.id, changes=profile)
    account = await locked(ctx, tx, account.id)
    await identity_linking.connect(
        deps,
        ctx,
        tx,
        provider=flow.provider,
        provider_account=flow.account,
        user_id=account.id,
        by="sign_up",
    )
    result = flow.result(
        mailed=email if mailed else None,
        new_user=fresh,
        joins_team=fresh and bool(flow.admission.get("into_organization")),
    )
    return await begin(deps, ctx, tx, flow, account=account, result=result)


async def _prove(
    deps: Deps,
    ctx: Context,
    tx: Db,
    flow: SignInFlow,
    *,
    kind: ProofKind,
    user_id: str | None = None,
    by_mail: bool = True,
) -> Resolution:
    if flow.browser is None:
        raise SignInEnded("over", "link", "no browser")
    proof = await link_proofs.begin(
        deps,
        ctx,
        tx,
        provider=flow.provider,
        account=flow.account,
        browser=flow.browser,
        user_id=user_id,
        payload={
            "kind": kind,
            "by_mail": by_mail,
            "destination": flow.destination,
            "remember": flow.remember,
            "locale": flow.locale,
        },
        invitation=flow.invitation,
    )
    return Resolution(proof=proof, kind=kind)


async def locked(ctx: Context, tx: Db, user_id: str) -> Account:
    """Locks the user's row, and returns the account as it is then. Raises AccountAppeared if there is
    none."""
    await accounts.lock(tx, app_id=ctx.app_id, id=user_id)
    account = await accounts.by_id(tx, app_id=ctx.app_id, id=user_id)
    if account is None:
        raise AccountAppeared
    return account
