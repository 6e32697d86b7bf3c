"""The account of the caller."""

from __future__ import annotations

from common.contracts.base import Done
from common.contracts.me import (
    ChangeEmail,
    ConfirmEmail,
    DeleteMe,
    Export,
    ExportMe,
    GetMe,
    UpdateMe,
)
from common.contracts.passwords import ChangePassword
from common.contracts.profiles import Me, MyChanges
from common.contracts.sessions import SignedInSession
from common.contracts.sign_in import Flow
from gateway.api.deps import SignedIn, TheBus, TheGateway, TheRequest
from gateway.api.noun_router import NounRouter
from gateway.auth import browser_sessions
from gateway.routing import RouteSet

router = NounRouter(prefix="/users/me", tags=["me"])


@router.get("", summary="My profile")
async def get(ctx: SignedIn, bus: TheBus) -> Me:
    """The standard claims, and the metadata that the application shows to its users."""
    return await bus.call(ctx, GetMe())


@router.put("", summary="Change my profile")
@router.patch("", summary="Change my profile", include_in_schema=False)
async def update(changes: MyChanges, ctx: SignedIn, bus: TheBus) -> Me:
    """Only what is sent changes; null clears. The address changes by its own call."""
    return await bus.call(ctx, UpdateMe(changes=changes))


@router.post(
    "/email",
    status_code=202,
    response_model_exclude={"browser"},
    summary="Mail a code to my new address",
)
async def change_email(request: ChangeEmail, ctx: SignedIn, bus: TheBus) -> Flow:
    """Needs a sign-in of the last 15 minutes: 403 `fresh_sign_in_needed`."""
    return await bus.call(ctx, request)


@router.post("/email/verify", summary="Confirm my new address")
async def confirm_email(request: ConfirmEmail, ctx: SignedIn, bus: TheBus) -> Me:
    """The old address is told."""
    return await bus.call(ctx, request)


@router.put("/password", response_model_exclude={"token"}, summary="Change my password")
async def change_password(
    body: ChangePassword, gateway: TheGateway, request: TheRequest, ctx: SignedIn
) -> SignedInSession:
    """Every other session ends; this one goes on under a new id."""
    new_session = await gateway.bus.call(ctx, body)
    await browser_sessions.start(gateway, request, new_session)
    return new_session


@router.get("/export", summary="Everything that is kept about me")
async def export(ctx: SignedIn, bus: TheBus) -> Export:
    """GDPR article 20."""
    return await bus.call(ctx, ExportMe())


@router.post("/delete", summary="Delete my account")
async def delete(body: DeleteMe, gateway: TheGateway, request: TheRequest, ctx: SignedIn) -> Done:
    """With the password, or a sign-in of the last 15 minutes where there is none. 409 `last_admin`
    where an organization of others would stay behind without an admin."""
    done = await gateway.bus.call(ctx, body)
    await browser_sessions.end(gateway, request)
    return done


routes = RouteSet(router=router)
