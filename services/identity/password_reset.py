"""Reset of a forgotten password, by a mailed link or code."""

from __future__ import annotations

from typing import Final

from common.address_keys import address_key
from common.context import Context
from common.contracts.passwords import (
    ResetPassword,
    StartReset,
)
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import (
    CodeSpent,
    Flow,
    LinkSpent,
    MethodOff,
)
from common.contracts.tenants import Tenant
from common.events.passwords import PasswordReset
from common.field_errors import field_error
from common.problems import Invalid
from identity import (
    authentication_result,
    challenge,
    first_proof,
    flows,
    guests,
    lockout,
    password_policy,
    session_end,
    session_start,
)
from identity.deps import Deps
from identity.limits import (
    SIGN_IN_BY_IP,
)
from identity.passwords import store_password
from identity.queries import accounts
from identity.queries.accounts import Account
from identity.queries.codes import ConsumedEmailCode

RESET: Final = ["password_reset"]


async def start_reset(deps: Deps, ctx: Context, request: StartReset) -> Flow:
    """Mails a link and a code to choose a new password. The answer is the same whether the address
    has an account. Raises MethodOff, CaptchaFailed, RateLimited, MailsSent."""
    tenant = await deps.tenants.get(ctx)
    if "password" not in tenant.settings.auth_methods:
        raise MethodOff
    await challenge.check(deps, ctx, tenant, request)
    await flows.count_mail(deps, ctx, request.email, request.browser, purpose="reset")
    async with deps.db.transaction(ctx) as tx:
        account = await accounts.by_email(tx, app_id=ctx.app_id, email=request.email)
        return await flows.start(
            deps,
            ctx,
            tx,
            tenant,
            letter=reset_letter(account, request.email, request.locale),
            browser=request.browser,
        )


def reset_letter(account: Account | None, email: str, locale: str | None) -> flows.Letter:
    """Returns the mail of a reset, or the one that says that there is no account."""
    return flows.Letter(
        to=account.email or email if account else email,
        type="password_reset",
        kind="reset" if account else "no_account",
        purpose="reset",
        link="reset" if account else "",
        user_id=account.id if account else None,
        name=account.name if account else None,
        locale=(account.locale if account else None) or locale,
        real=account is not None,
        code=account is not None,
    )


async def reset(deps: Deps, ctx: Context, request: ResetPassword) -> SignedInSession:
    """Chooses a new password by a link or code. A password is checked before the link or code is
    consumed, so that both stay valid. Raises WeakPassword, LinkSpent, OtherBrowser, WrongCode,
    CodeSpent."""
    tenant = await deps.tenants.get(ctx)
    guest, ctx = guests.split(ctx)
    await deps.limits.count(ctx, (SIGN_IN_BY_IP, ctx.ip))
    await password_policy.check(deps, ctx, tenant, request.password, email=None, name=None)
    await _refuse_unchanged(deps, ctx, request)
    phc = await deps.hashing.hash(ctx.app_id, request.password)
    if request.token is not None:
        async with deps.db.transaction(ctx) as tx:
            consumed_code = await flows.consume_link(
                deps, ctx, tx, request.token, browser=request.browser, types=RESET
            )
    elif request.flow is not None and request.code is not None:
        consumed_code = await flows.consume_code(deps, ctx, request.flow, request.code, types=RESET)
    else:
        raise Invalid(errors=[field_error("token", "link_or_code_required")])
    if consumed_code.user_id is None:
        raise LinkSpent if request.token else CodeSpent
    result = authentication_result.AuthenticationResult(
        "reset",
        "mail",
        ["otp"],
        email=consumed_code.email,
        browser=request.browser,
        first_proof_done=True,
    )
    result = guests.with_kept_guest(result, guest)
    return await _reset(deps, ctx, tenant, consumed_code, phc=phc, result=result)


async def _refuse_unchanged(deps: Deps, ctx: Context, request: ResetPassword) -> None:
    """Refuses the old password if an administrator requires a new one. It says so only to the
    holder of a valid link or code. Raises WeakPassword."""
    holder = account = None
    async with deps.db.reader(ctx) as db:
        if request.token is not None:
            holder = await flows.holder_of_link(
                deps, ctx, db, request.token, browser=request.browser, types=RESET
            )
        elif request.flow is not None and request.code is not None:
            holder = await flows.holder_of_code(
                deps, ctx, db, request.flow, code=request.code, types=RESET
            )
        if holder is not None:
            account = await accounts.by_id(db, app_id=ctx.app_id, id=holder)
    if account is None or account.phc is None or not account.must_change:
        return
    verdict = await deps.hashing.verify(ctx.app_id, request.password, account.phc)
    if verdict.ok:
        raise password_policy.unchanged_password()


async def _reset(
    deps: Deps,
    ctx: Context,
    tenant: Tenant,
    consumed_code: ConsumedEmailCode,
    *,
    phc: str,
    result: authentication_result.AuthenticationResult,
) -> SignedInSession:
    assert consumed_code.user_id is not None
    async with deps.db.transaction(ctx) as tx:
        await accounts.lock(tx, app_id=ctx.app_id, id=consumed_code.user_id)
        account = await accounts.by_id(tx, app_id=ctx.app_id, id=consumed_code.user_id)
        if (
            account is None
            or not account.email
            or address_key(account.email) != consumed_code.email
        ):
            raise LinkSpent  # the address was changed since: the mail went to another one
        earlier = await first_proof.end_earlier_credentials(
            deps, ctx, tx, account, browser=result.browser
        )
        await lockout.forget(deps, ctx, tx, consumed_code.email)
        event = PasswordReset(user_id=account.id)
        ended = await store_password(deps, ctx, tx, tenant, account=account, phc=phc, event=event)
        started_session = await session_start.begin(
            deps, ctx, tx, tenant, account=account, result=result
        )
    await session_end.publish_revocations(deps, ctx, account.id, [*(earlier or []), *ended])
    return await session_start.finish(deps, ctx, started_session)
