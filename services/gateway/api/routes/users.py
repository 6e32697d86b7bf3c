"""The users of an application, for its administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from common.contracts.base import Done, Id, Page
from common.contracts.fields import Email
from common.contracts.invitations import (
    Invitation,
    Invitations,
    InviteUser,
    ListInvitations,
    ResendInvitation,
    RevokeInvitation,
)
from common.contracts.profiles import User, UserChanges
from common.contracts.sessions import (
    ListUserSessions,
    Revoked,
    RevokeUserSession,
    RevokeUserSessions,
    Sessions,
)
from common.contracts.user_import import Arrivals, ExportUsers, ImportUsers, TransferredUsers
from common.contracts.users import (
    CreateUser,
    DeleteUser,
    DisableUser,
    EnableUser,
    FindUser,
    ForceReset,
    GetUser,
    ListUsers,
    UnlockUser,
    UpdateUser,
    Users,
)
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/users", tags=["users"])


@router.get("", summary="List users")
async def list_(page: Annotated[ListUsers, Query()], ctx: Acting, bus: TheBus) -> Users:
    """The newest first. Needs `users:read`."""
    return await bus.call(ctx, page)


@router.post("", status_code=201, summary="Create a user")
async def create(new: CreateUser, ctx: Acting, bus: TheBus) -> User:
    """With or without address and password. Needs `users:write`."""
    return await bus.call(ctx, new)


@router.post("/import", summary="Import users")
async def import_(users: ImportUsers, ctx: Acting, bus: TheBus) -> Arrivals:
    """Up to 500 at once, with hashes made elsewhere; `aero2 users import` sends whole files. Needs
    `users:write`."""
    return await bus.call(ctx, users)


@router.get("/export", response_model_exclude_none=True, summary="Export users")
async def export(
    page: Annotated[ExportUsers, Query()], ctx: Acting, bus: TheBus
) -> TransferredUsers:
    """As an import takes them, the oldest first. Needs `users:read`, with hashes all permissions."""
    return await bus.call(ctx, page)


@router.get("/by-email", summary="Find a user by address")
async def find(email: Annotated[Email, Query()], ctx: Acting, bus: TheBus) -> User:
    """Case does not count. Needs `users:read`."""
    return await bus.call(ctx, FindUser(email=email))


@router.get("/invitations", summary="List invitations")
async def list_invitations(
    page: Annotated[ListInvitations, Query()], ctx: Acting, bus: TheBus
) -> Invitations:
    """The newest first. Needs `users:read`."""
    return await bus.call(ctx, page)


@router.post("/invitations", status_code=201, summary="Invite somebody")
async def invite(new: InviteUser, ctx: Acting, bus: TheBus) -> Invitation:
    """A mail with a link that holds for seven days. Needs `users:write`."""
    return await bus.call(ctx, new)


@router.post("/invitations/{id}/resend", summary="Send an invitation again")
async def resend(id: Id, ctx: Acting, bus: TheBus) -> Invitation:
    """With a new link; the old one is dead. Needs `users:write`."""
    return await bus.call(ctx, ResendInvitation(invitation_id=id))


@router.delete("/invitations/{id}", summary="Take an invitation back")
async def revoke_invitation(id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Its link is dead. Needs `users:write`."""
    return await bus.call(ctx, RevokeInvitation(invitation_id=id))


@router.get("/{id}", summary="Get a user")
async def get(id: Id, ctx: Acting, bus: TheBus) -> User:
    """Needs `users:read`."""
    return await bus.call(ctx, GetUser(user_id=id))


@router.put("/{id}", summary="Change a user")
@router.patch("/{id}", summary="Change a user", include_in_schema=False)
async def update(id: Id, changes: UserChanges, ctx: Acting, bus: TheBus) -> User:
    """Only what is sent changes; null clears. Needs `users:write`."""
    return await bus.call(ctx, UpdateUser(user_id=id, changes=changes))


@router.delete("/{id}", summary="Delete a user")
async def delete(id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Deletes the user and all their data. This cannot be undone. Needs `users:delete`."""
    return await bus.call(ctx, DeleteUser(user_id=id))


@router.post("/{id}/disable", summary="Disable a user")
async def disable(id: Id, ctx: Acting, bus: TheBus) -> User:
    """Every session and token ends at once. Needs `users:write`."""
    return await bus.call(ctx, DisableUser(user_id=id))


@router.post("/{id}/enable", summary="Enable a user")
async def enable(id: Id, ctx: Acting, bus: TheBus) -> User:
    """He may sign in again; no session comes back. Needs `users:write`."""
    return await bus.call(ctx, EnableUser(user_id=id))


@router.post("/{id}/force-reset", summary="Ask for a new password")
async def force_reset(id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Sessions end and a mail to choose a new one goes out. Needs `users:write`."""
    return await bus.call(ctx, ForceReset(user_id=id))


@router.post("/{id}/unlock", summary="End a lock")
async def unlock(id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Wrong passwords of this address are forgotten. Needs `users:write`."""
    return await bus.call(ctx, UnlockUser(user_id=id))


@router.get("/{id}/sessions", summary="List a user's sessions")
async def sessions(id: Id, page: Annotated[Page, Query()], ctx: Acting, bus: TheBus) -> Sessions:
    """The latest first. Needs `users:read`."""
    return await bus.call(ctx, ListUserSessions(user_id=id, **page.model_dump()))


@router.delete("/{id}/sessions", summary="Sign a user out everywhere")
async def revoke_sessions(id: Id, ctx: Acting, bus: TheBus) -> Revoked:
    """Dead everywhere when the answer arrives. Needs `users:write`."""
    return await bus.call(ctx, RevokeUserSessions(user_id=id))


@router.delete("/{id}/sessions/{session_id}", summary="End one session of a user")
async def revoke_session(id: Id, session_id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Needs `users:write`."""
    return await bus.call(ctx, RevokeUserSession(user_id=id, session_id=session_id))


routes = RouteSet(router=router, in_applications=True)
