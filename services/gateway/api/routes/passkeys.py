"""The passkeys of the caller."""

from __future__ import annotations

from common.contracts.base import Contract, Done, Id
from common.contracts.fields import PublicTitle
from common.contracts.passkeys import (
    AddedPasskey,
    AddPasskey,
    ListMyPasskeys,
    Passkey,
    PasskeyOptions,
    Passkeys,
    RemovePasskey,
    RenamePasskey,
    StartPasskey,
)
from gateway.api.deps import SignedIn, TheBus, TheGateway, TheRequest
from gateway.api.noun_router import NounRouter
from gateway.auth import browser_sessions
from gateway.routing import RouteSet

router = NounRouter(prefix="/users/me/passkeys", tags=["me"])


class PasskeyName(Contract):
    name: PublicTitle


@router.get("", summary="List your passkeys")
async def list_(ctx: SignedIn, bus: TheBus) -> Passkeys:
    """Lists your passkeys, newest first. `user_handle`, `user_name` and `display_name` are for the
    browser's Signal API."""
    return await bus.call(ctx, ListMyPasskeys())


@router.post("/options", summary="Get the options to add a passkey")
async def options(ctx: SignedIn, bus: TheBus) -> PasskeyOptions:
    """Returns `options` for `navigator.credentials.create`. Their challenge lasts five minutes and
    works once. Answers 403 `fresh_sign_in_needed` if your last sign-in is older than 15 minutes."""
    return await bus.call(ctx, StartPasskey())


@router.post(
    "",
    status_code=201,
    response_model_exclude={"session": {"token"}},
    summary="Add a passkey",
)
async def add(
    body: AddPasskey, gateway: TheGateway, request: TheRequest, ctx: SignedIn
) -> AddedPasskey:
    """Adds the passkey that the browser has made. Your first one comes with recovery codes, which are
    not shown again. Answers 409 `account_switched` if another user is signed in now, and 409
    `passkey_exists` if the passkey is in use."""
    added = await gateway.bus.call(ctx, body)
    if added.session is not None:
        await browser_sessions.start(gateway, request, added.session)
    return added


@router.put("/{id}", summary="Rename a passkey")
@router.patch("/{id}", summary="Rename a passkey", include_in_schema=False)
async def rename(id: Id, body: PasskeyName, ctx: SignedIn, bus: TheBus) -> Passkey:
    """Changes the name that you see."""
    return await bus.call(ctx, RenamePasskey(passkey_id=id, name=body.name))


@router.delete("/{id}", summary="Remove a passkey")
async def remove(id: Id, ctx: SignedIn, bus: TheBus) -> Done:
    """The passkey no longer signs you in. Answers 409 `last_way_in` if you could not sign in without
    it, and 403 `fresh_sign_in_needed` if your last sign-in is older than 15 minutes."""
    return await bus.call(ctx, RemovePasskey(passkey_id=id))


routes = RouteSet(router=router)
