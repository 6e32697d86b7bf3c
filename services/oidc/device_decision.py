"""Stores what the user decided on a device (RFC 8628 section 3.3): in one transaction, and once."""

from __future__ import annotations

from common import audit
from common.context import Context
from common.contracts.authorization import Authorization, SignedIn
from common.contracts.oauth_errors import SignInOver
from common.db import Db
from common.events.consents import ConsentGranted
from common.events.device_authorization import DeviceApproved, DeviceDenied
from oidc import authorization_response, prompts
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps
from oidc.queries import authorization_codes, authorization_requests, consents, device_codes
from oidc.queries.authorization_codes import CodeConditions, CodeWish
from oidc.queries.device_codes import Approval, DeviceCode


async def approve(deps: Deps, ctx: Context, request: AuthorizationRequest) -> Authorization:
    """Lets the device fetch its tokens. Sends the user to sign in if their session has just ended."""
    session, device = request.session, request.device
    assert session is not None
    assert device is not None
    async with deps.db.transaction(ctx) as tx:
        conditions = await authorization_codes.find_conditions(tx, _wish(ctx, request, session))
        if conditions.user_epoch is not None:
            approval = _approval(ctx, request, session, conditions)
            if not await _store_approval(tx, ctx, request, device, approval=approval):
                return authorization_response.error_page(SignInOver())
    if conditions.user_epoch is None:
        request.session = None
        return await prompts.sign_in(deps, ctx, request)
    return authorization_response.device_decided(request, approved=True)


async def deny(deps: Deps, ctx: Context, request: AuthorizationRequest) -> Authorization:
    """Refuses the device. Its next poll is answered with access_denied."""
    session, device = request.session, request.device
    assert session is not None
    assert device is not None
    async with deps.db.transaction(ctx) as tx:
        denied = await device_codes.deny(
            tx,
            app_id=ctx.app_id,
            device_code_hash=device.device_code_hash,
            user_id=session.user_id,
            session_id=session.session_id,
        )
        if not denied:
            return authorization_response.error_page(SignInOver())
        await _mark_answered(tx, ctx, request)
        event = DeviceDenied(
            client_id=device.client_id, device_id=device.id, device_ip=device.ip_address
        )
        await audit.record(tx, ctx, event, user_id=session.user_id)
    return authorization_response.device_decided(request, approved=False)


async def _store_approval(
    tx: Db,
    ctx: Context,
    request: AuthorizationRequest,
    device: DeviceCode,
    *,
    approval: Approval,
) -> bool:
    """Stores the approval, and the consent if the client is one of others. Returns False if the device
    was decided before."""
    if not await device_codes.approve(tx, approval):
        return False
    await _mark_answered(tx, ctx, request)
    if not request.client.first_party:
        await consents.add(
            tx,
            app_id=ctx.app_id,
            user_id=approval.user_id,
            client_id=device.client_id,
            scopes=approval.scopes,
            resources=approval.resource,
        )
        consent = ConsentGranted(client_id=device.client_id, scopes=approval.scopes)
        await audit.record(tx, ctx, consent, user_id=approval.user_id)
    event = DeviceApproved(
        client_id=device.client_id,
        scopes=approval.scopes,
        device_id=device.id,
        device_ip=device.ip_address,
    )
    await audit.record(tx, ctx, event, user_id=approval.user_id)
    return True


async def _mark_answered(tx: Db, ctx: Context, request: AuthorizationRequest) -> None:
    assert request.pending is not None
    await authorization_requests.mark_answered(
        tx, app_id=ctx.app_id, id_hash=request.pending.id_hash
    )


def _wish(ctx: Context, request: AuthorizationRequest, session: SignedIn) -> CodeWish:
    """Asks for a live session and the known revocations. The user has just consented."""
    return CodeWish(
        app_id=ctx.app_id,
        user_id=session.user_id,
        session_id=session.session_id,
        client_id=request.client.client_id,
        consent_needed=False,
        consent_scopes=[],
        resource=[],
        lifetime=0,
    )


def _approval(
    ctx: Context,
    request: AuthorizationRequest,
    session: SignedIn,
    conditions: CodeConditions,
) -> Approval:
    """Returns what the device's tokens will stand for, as a code of this user and session would."""
    assert conditions.user_epoch is not None
    assert request.device is not None
    left_out = {"offline_access"} if conditions.online_only else set()
    return Approval(
        app_id=ctx.app_id,
        device_code_hash=request.device.device_code_hash,
        user_id=session.user_id,
        user_epoch=conditions.user_epoch,
        session_id=session.session_id,
        scopes=[name for name in request.scopes if name not in left_out],
        resource=request.resource,
        auth_time=session.auth_time,
        acr=request.acr,
        amr=session.amr,
        org_id=session.org_id,
        revocations=conditions.revocations,
    )
