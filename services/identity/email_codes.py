"""Signing in by a mailed code or link."""

from __future__ import annotations

from typing import Final

import asyncpg

from common.context import Context
from common.contracts.email_codes import SignInWithCode, SignInWithLink, StartEmailCode
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import CodeSpent, Flow, LinkSpent, MethodOff
from common.contracts.sign_up import SignUpClosed
from common.contracts.tenancy import Tenant
from common.db import Db
from common.problems import Conflict, Invalid
from identity import addresses, flows, idempotency, protection, sign_up, signing
from identity.deps import Deps
from identity.guard import forget
from identity.queries import accounts, codes
from identity.queries.accounts import Account
from identity.queries.codes import Taken

TYPES: Final = ["email_code", "email_verification"]


async def start(deps: Deps, ctx: Context, asked: StartEmailCode) -> Flow:
    tenant = await deps.tenants.get(ctx)
    if not {"email_code", "magic_link"} & set(tenant.settings.auth_methods):
        raise MethodOff
    await protection.check(deps, ctx, tenant, asked)
    await flows.count(deps, ctx, asked.email, asked.browser, purpose="sign_in")
    async with deps.db.transaction(ctx) as tx:
        account = await accounts.by_email(tx, app_id=ctx.app_id, email=asked.email)
        letter = _letter(deps, ctx, tenant, account, asked)
        return await flows.start(deps, ctx, tx, tenant, letter, asked.browser)


def _letter(
    deps: Deps, ctx: Context, tenant: Tenant, account: Account | None, asked: StartEmailCode
) -> flows.Letter:
    methods = tenant.settings.auth_methods
    real = account is not None or may_sign_up(deps, ctx, tenant, asked.email)
    return flows.Letter(
        to=account.email or asked.email if account else asked.email,
        type="email_code",
        kind="sign_in" if real else "no_account",
        purpose="sign_in",
        link="sign_in" if real and "magic_link" in methods else "",
        user_id=account.id if account else None,
        name=account.name if account else None,
        locale=(account.locale if account else None) or asked.locale,
        real=real,
        code=real and "email_code" in methods,
        payload={} if account else {"email": asked.email, "locale": asked.locale},
    )


def may_sign_up(deps: Deps, ctx: Context, tenant: Tenant, email: str) -> bool:
    if addresses.names_operator(deps.operator_email, ctx.app_id, email):
        return True
    try:
        addresses.allow(tenant.settings, email)
    except (SignUpClosed, Invalid):
        return False
    return True


async def with_code(deps: Deps, ctx: Context, asked: SignInWithCode) -> SignedInSession:
    tenant = await deps.tenants.get(ctx)
    key = _key(asked, f"{asked.flow}:{flows.digits(asked.code)}")
    try:
        taken = await flows.take_code(deps, ctx, asked.flow, asked.code, TYPES)
    except CodeSpent as spent:
        return await _again(deps, ctx, asked, key, spent)
    proof = _proof("email_code", taken, asked, key)
    return await _signed_in(deps, ctx, tenant, taken, proof)


async def with_link(deps: Deps, ctx: Context, asked: SignInWithLink) -> SignedInSession:
    tenant = await deps.tenants.get(ctx)
    key = _key(asked, asked.token)
    try:
        async with deps.db.transaction(ctx) as tx:
            taken = await flows.take_link(deps, ctx, tx, asked.token, asked.browser, TYPES)
    except LinkSpent as spent:
        return await _again(deps, ctx, asked, key, spent)
    proof = _proof("magic_link", taken, asked, key)
    return await _signed_in(deps, ctx, tenant, taken, proof)


def _key(asked: SignInWithCode | SignInWithLink, secret: str) -> str | None:
    """Names the attempt by the caller's key and by what it proves: neither alone is enough."""
    return f"{asked.idempotency_key}:{secret}" if asked.idempotency_key else None


async def _again(
    deps: Deps,
    ctx: Context,
    asked: SignInWithCode | SignInWithLink,
    key: str | None,
    spent: CodeSpent | LinkSpent,
) -> SignedInSession:
    """Answer the second click of a double click. Raises `spent` where the code or link began no
    session in this browser within the last minute."""
    if key is None:
        raise spent
    session = await idempotency.repeated(
        deps, ctx, browser=asked.browser, remember=asked.remember, key=key
    )
    if session is None:
        raise spent
    return session


def _proof(
    method: str, taken: Taken, asked: SignInWithCode | SignInWithLink, key: str | None
) -> signing.Proof:
    return signing.Proof(
        method=method,
        amr=["otp"],
        email=taken.email,
        browser=asked.browser,
        remember=asked.remember,
        idempotency_key=key,
    )


async def _signed_in(
    deps: Deps, ctx: Context, tenant: Tenant, taken: Taken, proof: signing.Proof
) -> SignedInSession:
    for attempt in (1, 2):
        try:
            async with deps.db.transaction(ctx) as tx:
                begun = await _begin(deps, ctx, tx, tenant, taken, proof)
            break
        except asyncpg.UniqueViolationError:
            # Somebody made the user of this address at the same moment: sign in as him.
            if attempt == 2:
                raise Conflict("the address was taken at the same moment") from None
    return await signing.finish(deps, ctx, begun)


async def _begin(
    deps: Deps, ctx: Context, tx: Db, tenant: Tenant, taken: Taken, proof: signing.Proof
) -> signing.Begun:
    account, fresh = await sign_up.come_to_be(deps, ctx, tx, tenant, taken)
    await forget(deps, ctx, tx, taken.email)
    await codes.end_older(tx, app_id=ctx.app_id, email=taken.email, types=TYPES)
    joins_team = fresh and bool(taken.payload.get("into_organization"))
    proof = signing.with_new_user(proof, fresh, joins_team=joins_team)
    return await signing.begin(deps, ctx, tx, tenant, account, proof)
