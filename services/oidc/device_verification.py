"""The user's half of device authorization (RFC 8628 section 3.3): a code is typed, and a device is decided on.

The request of a device runs through the steps of the authorization endpoint that concern the user. So it
waits under a name while the user signs in, chooses an account or shows a second factor, and is resumed like
any other request. The user is always asked: a consent from before says nothing about this device (section
5.4).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from common.attempt_limits import AttemptLimit
from common.context import Context
from common.contracts.authorization import Authorization, Params, ResumeAuthorization
from common.contracts.device_authorization import UserCodeUnknown, VerifyUserCode
from common.contracts.oauth_errors import OAuthError, SignInOver
from common.events.device_authorization import UserCodeFailed
from common.ip_addresses import client_network
from oidc import authorization_response, device_start, user_codes
from oidc.authorization_request import AuthorizationRequest
from oidc.checks.account_is_whole import account_is_whole
from oidc.checks.client_is_known import client_is_known
from oidc.checks.context_is_met import context_is_met
from oidc.checks.contexts_are_possible import contexts_are_possible
from oidc.checks.device_is_decided import device_is_decided, nobody_acts_as_the_user
from oidc.checks.prompts_are_consistent import prompts_are_consistent
from oidc.checks.resources_are_known import resources_are_known
from oidc.checks.scopes_are_allowed import scopes_are_allowed
from oidc.checks.session_is_chosen import session_is_chosen
from oidc.checks.user_is_fresh import user_is_fresh
from oidc.checks.user_is_signed_in import user_is_signed_in
from oidc.deps import Deps
from oidc.queries import device_codes
from oidc.queries.authorization_requests import PendingAuthorization
from oidc.queries.device_codes import DeviceCode

Step = Callable[[Deps, Context, AuthorizationRequest], Awaitable[Authorization | None]]

CODES_OF_SESSION: Final = AttemptLimit("user_code_session", 5, 3600)
CODES_OF_NETWORK: Final = AttemptLimit("user_code_network", 10, 60)


async def client_may_sign_in(deps: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """Raises UnauthorizedClient unless application and client still allow device authorization."""
    await device_start.check_client(deps, ctx, request.client)


STEPS: Final[tuple[Step, ...]] = (
    client_is_known,
    client_may_sign_in,
    scopes_are_allowed,
    resources_are_known,
    prompts_are_consistent,
    contexts_are_possible,
    session_is_chosen,
    user_is_signed_in,
    user_is_fresh,
    context_is_met,
    account_is_whole,
    nobody_acts_as_the_user,
    device_is_decided,
)
"""A step may send the user to a page first. The last one always returns something. Errors are shown to the
user: there is no address to redirect to."""


async def verify(deps: Deps, ctx: Context, request: VerifyUserCode) -> Authorization:
    """Finds the device of a user code, and asks the user about it. Raises UserCodeUnknown and RateLimited.

    Every attempt is counted before the code is looked up, and a right one is given back.
    """
    user_code = user_codes.parse(request.user_code)
    if user_code is None:
        raise UserCodeUnknown
    session_id, network = request.session.session_id, client_network(ctx.ip)
    counted = ((CODES_OF_SESSION, session_id), (CODES_OF_NETWORK, network))
    await deps.limits.count(ctx, *counted)
    device = await _find_waiting(deps, ctx, user_code)
    if device is None:
        deps.activity.note(
            ctx, UserCodeFailed(), user_id=request.session.user_id, session_id=session_id
        )
        raise UserCodeUnknown
    for limit, whom in counted:
        await deps.limits.refund(ctx, limit, whom)
    params = _params(device, user_codes.printed(user_code))
    authorization = AuthorizationRequest.from_parameters(params, request.session)
    authorization.others, authorization.choices = request.others, request.choices
    return await _run_steps(deps, ctx, authorization, device)


async def resume(
    deps: Deps, ctx: Context, request: ResumeAuthorization, pending: PendingAuthorization
) -> Authorization:
    """Continues the request of a device after the user has signed in, chosen or decided."""
    assert pending.device_code_hash is not None
    device = await _find(deps, ctx, pending.device_code_hash)
    if device is None or device.status != "pending" or not device.live:
        return authorization_response.error_page(SignInOver())
    authorization = AuthorizationRequest.resumed(pending, request.request, request.session)
    authorization.consent, authorization.selected = request.consent, request.selected
    authorization.others, authorization.choices = request.others, request.choices
    return await _run_steps(deps, ctx, authorization, device)


async def answer_again(
    deps: Deps, ctx: Context, request: ResumeAuthorization, answered: PendingAuthorization
) -> Authorization:
    """Returns the same page for a form that was submitted twice in the session that decided. For others
    it says that the sign-in is over."""
    assert answered.device_code_hash is not None
    device = await _find(deps, ctx, answered.device_code_hash)
    decision = {"allow": "approved", "deny": "denied"}.get(request.consent or "")
    sessions = [request.session, *request.others] if request.session else request.others
    if device is None or device.status != decision:
        return authorization_response.error_page(SignInOver())
    if device.session_id not in [session.session_id for session in sessions]:
        return authorization_response.error_page(SignInOver())
    authorization = AuthorizationRequest.resumed(answered, request.request, request.session)
    try:
        await client_is_known(deps, ctx, authorization)
    except OAuthError as problem:
        return authorization_response.error_page(problem)
    return authorization_response.device_decided(authorization, approved=decision == "approved")


async def _run_steps(
    deps: Deps, ctx: Context, request: AuthorizationRequest, device: DeviceCode
) -> Authorization:
    request.device = device
    try:
        for step in STEPS:
            page = await step(deps, ctx, request)
            if page is not None:
                return authorization_response.with_session(request, page)
    except OAuthError as problem:
        return authorization_response.error_page(problem)
    raise AssertionError("device_is_decided always returns a page")


def _params(device: DeviceCode, user_code: str) -> Params:
    """Returns the request as the authorization endpoint would have got it, with the code for the page."""
    resource = [("resource", uri) for uri in device.resource]
    return [
        ("client_id", device.client_id),
        ("scope", " ".join(device.scopes)),
        *resource,
        ("user_code", user_code),
    ]


async def _find_waiting(deps: Deps, ctx: Context, user_code: str) -> DeviceCode | None:
    hashes = deps.keys.hashes("user-code", user_code)
    async with deps.db.reader(ctx) as db:
        return await device_codes.find_by_user_code(db, app_id=ctx.app_id, user_code_hashes=hashes)


async def _find(deps: Deps, ctx: Context, device_code_hash: str) -> DeviceCode | None:
    async with deps.db.reader(ctx) as db:
        return await device_codes.find(db, app_id=ctx.app_id, device_code_hash=device_code_hash)
