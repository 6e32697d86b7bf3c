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


@router.get("", summary="Get your profile")
async def get(ctx: SignedIn, bus: TheBus) -> Me:
    """Returns the standard claims, and the metadata that the application shows to its users."""
    return await bus.call(ctx, GetMe())


@router.put("", summary="Update your profile")
@router.patch("", summary="Update your profile", include_in_schema=False)
async def update(changes: MyChanges, ctx: SignedIn, bus: TheBus) -> Me:
    """Changes the fields that you send. `null` clears a field. To change the e-mail address, use
    `POST /api/users/me/email`."""
    return await bus.call(ctx, UpdateMe(changes=changes))


@router.post(
    "/email",
    status_code=202,
    response_model_exclude={"browser"},
    summary="Change your e-mail address",
)
async def change_email(request: ChangeEmail, ctx: SignedIn, bus: TheBus) -> Flow:
    """Sends a code to the new address. The address changes once you confirm it with the code.
    Answers 403 `fresh_sign_in_needed` if your last sign-in is older than 15 minutes."""
    return await bus.call(ctx, request)


@router.post("/email/verify", summary="Confirm your new e-mail address")
async def confirm_email(request: ConfirmEmail, ctx: SignedIn, bus: TheBus) -> Me:
    """Sets the new address. The old address is notified by e-mail."""
    return await bus.call(ctx, request)


@router.put("/password", response_model_exclude={"token"}, summary="Change your password")
async def change_password(
    body: ChangePassword, gateway: TheGateway, request: TheRequest, ctx: SignedIn
) -> SignedInSession:
    """Sets a new password. All your other sessions end. This one continues under a new id."""
    new_session = await gateway.bus.call(ctx, body)
    await browser_sessions.start(gateway, request, new_session)
    return new_session


@router.get("/export", summary="Export your data")
async def export(ctx: SignedIn, bus: TheBus) -> Export:
    """Returns everything that the application stores about you (GDPR article 20)."""
    return await bus.call(ctx, ExportMe())


@router.post("/delete", summary="Delete your account")
async def delete(body: DeleteMe, gateway: TheGateway, request: TheRequest, ctx: SignedIn) -> Done:
    """Deletes your account and all your data. This cannot be undone. Send your password. If you
    have none, you need a sign-in within the last 15 minutes. Answers 409 `last_admin` if you are
    the only admin of an organization with other members."""
    done = await gateway.bus.call(ctx, body)
    await browser_sessions.end(gateway, request)
    return done


routes = RouteSet(router=router)
