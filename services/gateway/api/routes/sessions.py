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
    """A short confirmation, for people."""

    message: str


class Ended(Message):
    """How many sessions were ended."""

    revoked_count: int


@router.get("", summary="List your sessions")
async def list_(ctx: SignedIn, bus: TheBus) -> Sessions:
    """Lists your sessions, latest first, with a readable device name. `is_current` marks the
    session of this call."""
    return await bus.call(ctx, ListSessions())


@router.delete("", summary="End your other sessions")
async def revoke_others(ctx: SignedIn, bus: TheBus) -> Ended:
    """Ends all your sessions except this one. They stop working before this call returns."""
    ended = await bus.call(ctx, RevokeOtherSessions())
    return Ended(message="Sessions revoked", revoked_count=ended.revoked_count)


@router.post("/revoke-all", summary="End all your sessions")
async def revoke_all(ctx: SignedIn, bus: TheBus) -> Ended:
    """Ends all your sessions, including this one."""
    ended = await bus.call(ctx, RevokeAllSessions())
    return Ended(message="Sessions revoked", revoked_count=ended.revoked_count)


@router.delete("/{id}", summary="End one of your sessions")
async def revoke(id: Id, ctx: SignedIn, bus: TheBus) -> Message:
    """Ends another session of yours. Answers 409 `current_session` for this one: sign out
    instead."""
    await bus.call(ctx, RevokeSession(session_id=id))
    return Message(message="Session revoked")


routes = RouteSet(router=router)
