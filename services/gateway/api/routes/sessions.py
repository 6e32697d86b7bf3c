"""The sessions of the caller."""

from __future__ import annotations

from common.contracts.base import Contract, Id
from common.contracts.sessions import (
    ListSessions,
    RevokeAllSessions,
    RevokeOtherSessions,
    RevokeSession,
    Sessions,
)
from gateway.api.deps import SignedIn, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/sessions", tags=["sessions"])


class Message(Contract):
    message: str


class Ended(Message):
    revoked_count: int


@router.get("", summary="My sessions")
async def list_(ctx: SignedIn, bus: TheBus) -> Sessions:
    """The latest first, with the device as people know it; `is_current` marks this one."""
    return await bus.call(ctx, ListSessions())


@router.delete("", summary="End my other sessions")
async def revoke_others(ctx: SignedIn, bus: TheBus) -> Ended:
    """Every session but this one is dead everywhere when the answer arrives."""
    ended = await bus.call(ctx, RevokeOtherSessions())
    return Ended(message="Sessions revoked", revoked_count=ended.revoked_count)


@router.post("/revoke-all", summary="End all my sessions")
async def revoke_all(ctx: SignedIn, bus: TheBus) -> Ended:
    """This one, too."""
    ended = await bus.call(ctx, RevokeAllSessions())
    return Ended(message="Sessions revoked", revoked_count=ended.revoked_count)


@router.delete("/{id}", summary="End one of my sessions")
async def revoke(id: Id, ctx: SignedIn, bus: TheBus) -> Message:
    """409 `current_session` for this one: sign out instead."""
    await bus.call(ctx, RevokeSession(session_id=id))
    return Message(message="Session revoked")


routes = RouteSet(router=router)
