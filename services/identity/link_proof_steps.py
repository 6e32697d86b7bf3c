"""The steps that complete a proof: a mailed code, or a sign-in to the existing account."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import Final

from common.address_keys import address_key
from common.context import Context
from common.contracts.invitations import InvitationNotFound
from common.contracts.link_proofs import (
    ConnectProvenAccount,
    FinishLinkProof,
    LinkProofSpent,
    SendLinkProofCode,
)
from common.contracts.provider_sign_in import ProviderOutcome
from common.contracts.sessions import FreshSignInNeeded
from common.contracts.sign_in import Flow, WrongCode
from common.contracts.sign_up import SignUpClosed
from common.contracts.tenants import Tenant
from common.db import Db
from common.problems import Invalid
from identity import (
    challenge,
    first_proof,
    flows,
    guests,
    link_proofs,
    provider_failures,
    provider_links,
    provider_resolution,
    sign_up,
)
from identity.caller_checks import the_user
from identity.deps import Deps
from identity.provider_failures import SignInEnded
from identity.provider_flow import Resolution, SignInFlow
from identity.provider_settlement import settled
from identity.queries import accounts, identity_links, identity_providers
from identity.queries.accounts import Account
from identity.queries.identity_providers import Provider
from identity.queries.link_proofs import PendingProof

TYPES: Final = ["link_proof"]


async def send_code(deps: Deps, ctx: Context, request: SendLinkProofCode) -> Flow:
    """Mails the code of a proof. The answer is the same whether the address has an account. Raises
    LinkProofSpent, CaptchaFailed, RateLimited, MailsSent."""
    tenant = await deps.tenants.get(ctx)
    await challenge.check(deps, ctx, tenant, request)
    async with deps.db.reader(ctx) as db:
        proof = await link_proofs.live(deps, ctx, db, request.link_proof, browser=request.browser)
        provider = await _provider(ctx, db, proof)
        _, invitation = await link_proofs.opened(deps, ctx, db, proof)
    if not _may_mail(proof, request.email):
        raise LinkProofSpent
    await flows.count_mail(deps, ctx, request.email, request.browser, purpose="sign_in")
    admitted = await _admits(deps, ctx, tenant, email=request.email, invitation=invitation)
    async with deps.db.transaction(ctx) as tx:
        account = await accounts.by_email(tx, app_id=ctx.app_id, email=request.email)
        letter = flows.Letter(
            to=account.email or request.email if account else request.email,
            type="link_proof",
            kind="link_account" if account else "sign_up" if admitted else "no_account",
            purpose="link_proof",
            link="",
            user_id=account.id if account else None,
            name=account.name if account else None,
            locale=(account.locale if account else None) or request.locale,
            real=account is not None or admitted,
            code=account is not None or admitted,
            payload={"proof": proof.id, "email": request.email},
            data={"provider": provider.display_name},
        )
        return await flows.start(deps, ctx, tx, tenant, letter=letter, browser=request.browser)


def _may_mail(proof: PendingProof, email: str) -> bool:
    """Returns whether a code to this address may complete the proof. The existing account has one
    address; for a new account the user chooses."""
    if not proof.payload["by_mail"]:
        return False
    if proof.payload["kind"] == "address":
        return True
    return address_key(email) == address_key(proof.payload["email"])


async def _admits(
    deps: Deps, ctx: Context, tenant: Tenant, *, email: str, invitation: str | None
) -> bool:
    """Returns whether the application accepts the address as a new user."""
    try:
        admission = await sign_up.admission(deps, ctx, email=email, token=invitation)
        sign_up.check_admission(deps, ctx, tenant, email=email, admitted=admission)
    except (SignUpClosed, Invalid, InvitationNotFound):
        return False
    return True


async def finish(deps: Deps, ctx: Context, request: FinishLinkProof) -> ProviderOutcome:
    """Signs in by the mailed code and connects the provider's account. Raises WrongCode, CodeSpent,
    LinkProofSpent, RateLimited."""
    tenant = await deps.tenants.get(ctx)
    async with deps.db.reader(ctx) as db:
        proof = await link_proofs.live(deps, ctx, db, request.link_proof, browser=request.browser)
        flow = await _flow(deps, ctx, db, tenant, proof=proof, request=request)
    consumed = await flows.consume_code(deps, ctx, request.flow, request.code, types=TYPES)
    if consumed.payload["proof"] != proof.id:
        raise WrongCode
    email = consumed.payload["email"]
    guest, ctx = guests.split(ctx)
    flow = replace(flow, guest=guest)

    async def work(deps: Deps, ctx: Context, tx: Db, flow: SignInFlow) -> Resolution:
        used = await link_proofs.consume(deps, ctx, tx, request.link_proof, browser=request.browser)
        account = await accounts.by_email(tx, app_id=ctx.app_id, email=email)
        if account is None:
            if used.user_id is not None:
                raise LinkProofSpent
            started = await provider_resolution.sign_up_with(
                deps, ctx, tx, flow, email=email, mailed=True
            )
            return Resolution(started, signed_up=True)
        return await _join(deps, ctx, tx, flow, proof=used, account=account, email=email)

    async def sign_in() -> ProviderOutcome:
        admitted = await provider_resolution.with_admission(deps, ctx, flow, email)
        return await settled(deps, ctx, admitted, work)

    return await _recorded(deps, ctx, flow, sign_in())


async def _join(
    deps: Deps,
    ctx: Context,
    tx: Db,
    flow: SignInFlow,
    *,
    proof: PendingProof,
    account: Account,
    email: str,
) -> Resolution:
    """Connects the account whose address was proven by mail. Raises LinkProofSpent, SignInEnded."""
    account = await provider_resolution.locked(ctx, tx, account.id)
    await link_proofs.check_factors(ctx, tx, proof, account.id)
    if flow.tenant.settings.link_policy == "never":
        raise SignInEnded("account_exists", "link", "link_policy is `never`")
    ended = await first_proof.end_earlier_credentials(deps, ctx, tx, account, browser=flow.browser)
    if await identity_links.has_of_provider(
        tx, app_id=ctx.app_id, user_id=account.id, idp_id=flow.provider.id
    ):
        raise SignInEnded("account_exists", "link", "another account of this provider is connected")
    await provider_links.connect(deps, ctx, tx, flow, user_id=account.id, by="proof")
    if ended is not None:
        account = await provider_resolution.locked(ctx, tx, account.id)
    started = await provider_resolution.begin(
        deps,
        ctx,
        tx,
        flow,
        account=account,
        result=flow.result(mailed=email, first_proof_done=True),
    )
    return Resolution(started, ended=ended)


async def connect(deps: Deps, ctx: Context, request: ConnectProvenAccount) -> ProviderOutcome:
    """Connects the provider's account to the calling user, who has just signed in. Raises
    LinkProofSpent, FreshSignInNeeded."""
    tenant, user_id = await deps.tenants.get(ctx), the_user(ctx)
    async with deps.db.reader(ctx) as db:
        proof = await link_proofs.live(deps, ctx, db, request.link_proof, browser=request.browser)
        flow = await _flow(deps, ctx, db, tenant, proof=proof, request=request)
    if proof.user_id not in (None, user_id):
        raise LinkProofSpent
    if (ctx.caller.proven_at or 0) < int(proof.created_at.timestamp()):
        raise FreshSignInNeeded

    async def work(deps: Deps, ctx: Context, tx: Db, flow: SignInFlow) -> Resolution:
        used = await link_proofs.consume(deps, ctx, tx, request.link_proof, browser=request.browser)
        await provider_resolution.locked(ctx, tx, user_id)
        await link_proofs.check_factors(ctx, tx, used, user_id)
        return await provider_links.connect(deps, ctx, tx, flow, user_id=user_id, by="proof")

    return await _recorded(deps, ctx, flow, settled(deps, ctx, flow, work))


async def _provider(ctx: Context, db: Db, proof: PendingProof) -> Provider:
    provider = await identity_providers.by_id(db, app_id=ctx.app_id, idp_id=proof.idp_id)
    if provider is None or not provider.enabled:
        raise LinkProofSpent
    return provider


async def _flow(
    deps: Deps,
    ctx: Context,
    db: Db,
    tenant: Tenant,
    *,
    proof: PendingProof,
    request: FinishLinkProof | ConnectProvenAccount,
) -> SignInFlow:
    """Returns the sign-in that the proof continues."""
    account, invitation = await link_proofs.opened(deps, ctx, db, proof)
    return SignInFlow(
        tenant=tenant,
        provider=await _provider(ctx, db, proof),
        account=account,
        destination=proof.payload["destination"],
        browser=request.browser,
        devices=request.devices if isinstance(request, FinishLinkProof) else [],
        remember=bool(proof.payload["remember"]),
        invitation=invitation,
        locale=proof.payload["locale"],
    )


async def _recorded(
    deps: Deps, ctx: Context, flow: SignInFlow, outcome: Awaitable[ProviderOutcome]
) -> ProviderOutcome:
    """Returns the outcome. If the sign-in ends, records why."""
    try:
        return await outcome
    except SignInEnded as ended:
        await provider_failures.record(
            deps,
            ctx,
            provider=flow.provider.name,
            purpose="sign_in",
            step=ended.step,
            detail=ended.detail,
            user_id=ctx.caller.user_id,
        )
        return provider_failures.outcome(ended, flow.provider, flow.destination)
