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
from common.contracts.organizations import ListUserOrganizations, Organizations
from common.contracts.passkeys import ListUserPasskeys, Passkeys, RemoveUserPasskey
from common.contracts.profiles import User, UserChanges
from common.contracts.second_factors import ResetSecondFactors
from common.contracts.sessions import (
    ListUserSessions,
    Revoked,
    RevokeUserSession,
    RevokeUserSessions,
    Sessions,
)
from common.contracts.user_import import Arrivals, ExportUsers, ImportUsers, TransferredUsers
from common.contracts.users import (
    CountUsers,
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
    UserCount,
    UserDetails,
    Users,
)
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/users", tags=["users"])


@router.get("", summary="List users")
async def list_(page: Annotated[ListUsers, Query()], ctx: Acting, bus: TheBus) -> Users:
    """Lists the users, newest first. With `search`, lists them by the word that matches. Needs
    `users:read`."""
    return await bus.call(ctx, page)


@router.get("/count", summary="Count users")
async def count(filter: Annotated[CountUsers, Query()], ctx: Acting, bus: TheBus) -> UserCount:
    """Counts the users that match all filters: exactly up to 1,000. Beyond that, it estimates.
    Needs `users:read`."""
    return await bus.call(ctx, filter)


@router.post("", status_code=201, summary="Create a user")
async def create(new: CreateUser, ctx: Acting, bus: TheBus) -> User:
    """Creates a user. The e-mail address and the password are optional. Needs `users:write`."""
    return await bus.call(ctx, new)


@router.post("/import", summary="Import users")
async def import_(users: ImportUsers, ctx: Acting, bus: TheBus) -> Arrivals:
    """Imports up to 500 users in one call, with password hashes from other systems. To import a
    whole file, use `aero2 users import`. Needs `users:write`."""
    return await bus.call(ctx, users)


@router.get("/export", response_model_exclude_none=True, summary="Export users")
async def export(
    page: Annotated[ExportUsers, Query()], ctx: Acting, bus: TheBus
) -> TransferredUsers:
    """Lists users in the format that the import accepts, oldest first. Needs `users:read`. To
    include password hashes, you need all permissions."""
    return await bus.call(ctx, page)


@router.get("/by-email", summary="Find a user by e-mail address")
async def find(email: Annotated[Email, Query()], ctx: Acting, bus: TheBus) -> UserDetails:
    """Returns the user with this address. The comparison ignores case. Needs `users:read`."""
    return await bus.call(ctx, FindUser(email=email))


@router.get("/invitations", summary="List invitations")
async def list_invitations(
    page: Annotated[ListInvitations, Query()], ctx: Acting, bus: TheBus
) -> Invitations:
    """Lists the invitations, newest first. Needs `users:read`."""
    return await bus.call(ctx, page)


@router.post("/invitations", status_code=201, summary="Invite a user")
async def invite(new: InviteUser, ctx: Acting, bus: TheBus) -> Invitation:
    """Sends an invitation by e-mail. Its link works for 7 days. Needs `users:write`."""
    return await bus.call(ctx, new)


@router.post("/invitations/{id}/resend", summary="Resend an invitation")
async def resend(id: Id, ctx: Acting, bus: TheBus) -> Invitation:
    """Sends the invitation again with a new link. The old link stops working. Needs
    `users:write`."""
    return await bus.call(ctx, ResendInvitation(invitation_id=id))


@router.delete("/invitations/{id}", summary="Revoke an invitation")
async def revoke_invitation(id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Revokes the invitation. Its link stops working at once. Needs `users:write`."""
    return await bus.call(ctx, RevokeInvitation(invitation_id=id))


@router.get("/{id}", summary="Get a user")
async def get(id: Id, ctx: Acting, bus: TheBus) -> UserDetails:
    """Returns one user, and whether their address is locked. Needs `users:read`."""
    return await bus.call(ctx, GetUser(user_id=id))


@router.put("/{id}", summary="Update a user")
@router.patch("/{id}", summary="Update a user", include_in_schema=False)
async def update(id: Id, changes: UserChanges, ctx: Acting, bus: TheBus) -> User:
    """Changes the fields that you send. `null` clears a field. Needs `users:write`."""
    return await bus.call(ctx, UpdateUser(user_id=id, changes=changes))


@router.delete("/{id}", summary="Delete a user")
async def delete(id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Deletes the user and all their data. This cannot be undone. Needs `users:delete`."""
    return await bus.call(ctx, DeleteUser(user_id=id))


@router.post("/{id}/disable", summary="Disable a user")
async def disable(id: Id, ctx: Acting, bus: TheBus) -> User:
    """Prevents the user from signing in, and ends all their sessions and tokens at once. Needs
    `users:write`."""
    return await bus.call(ctx, DisableUser(user_id=id))


@router.post("/{id}/enable", summary="Enable a user")
async def enable(id: Id, ctx: Acting, bus: TheBus) -> User:
    """Lets a disabled user sign in again. Their old sessions stay ended. Needs `users:write`."""
    return await bus.call(ctx, EnableUser(user_id=id))


@router.post("/{id}/force-reset", summary="Force a password reset")
async def force_reset(id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Ends all sessions of the user and sends them an e-mail to choose a new password. They cannot
    sign in with the old one. Needs `users:write`."""
    return await bus.call(ctx, ForceReset(user_id=id))


@router.post("/{id}/unlock", summary="Unlock a user")
async def unlock(id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Resets the count of wrong passwords, so that the user can sign in with a password again.
    Needs `users:write`."""
    return await bus.call(ctx, UnlockUser(user_id=id))


@router.delete("/{id}/mfa", summary="Reset the second factors of a user")
async def reset_second_factors(id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Removes the authenticator app, the passkeys, the recovery codes and the remembered devices. The
    user is notified by e-mail, and signs in without them. Answers 409 `last_way_in` if passkeys are
    all that the user has. Needs `users:write`."""
    return await bus.call(ctx, ResetSecondFactors(user_id=id))


@router.get("/{id}/passkeys", summary="List passkeys of a user")
async def passkeys(id: Id, ctx: Acting, bus: TheBus) -> Passkeys:
    """Lists the passkeys, newest first. Needs `users:read`."""
    return await bus.call(ctx, ListUserPasskeys(user_id=id))


@router.delete("/{id}/passkeys/{passkey_id}", summary="Remove a passkey of a user")
async def remove_passkey(id: Id, passkey_id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Removes the passkey, even if the user has no other way to sign in. The user is notified by
    e-mail. Needs `users:write`."""
    return await bus.call(ctx, RemoveUserPasskey(user_id=id, passkey_id=passkey_id))


@router.get("/{id}/organizations", summary="List organizations of a user")
async def organizations(
    id: Id, page: Annotated[Page, Query()], ctx: Acting, bus: TheBus
) -> Organizations:
    """Lists the organizations that the user belongs to. `role` is the role of the user there. Needs
    `organizations:read`."""
    return await bus.call(ctx, ListUserOrganizations(user_id=id, **page.model_dump()))


@router.get("/{id}/sessions", summary="List sessions of a user")
async def sessions(id: Id, page: Annotated[Page, Query()], ctx: Acting, bus: TheBus) -> Sessions:
    """Lists the user's sessions, latest first. Needs `users:read`."""
    return await bus.call(ctx, ListUserSessions(user_id=id, **page.model_dump()))


@router.delete("/{id}/sessions", summary="Sign a user out everywhere")
async def revoke_sessions(id: Id, ctx: Acting, bus: TheBus) -> Revoked:
    """Ends all sessions of the user. They stop working before this call returns. Needs
    `users:write`."""
    return await bus.call(ctx, RevokeUserSessions(user_id=id))


@router.delete("/{id}/sessions/{session_id}", summary="End one session of a user")
async def revoke_session(id: Id, session_id: Id, ctx: Acting, bus: TheBus) -> Done:
    """Ends the session at once. Needs `users:write`."""
    return await bus.call(ctx, RevokeUserSession(user_id=id, session_id=session_id))


routes = RouteSet(router=router, in_applications=True)
