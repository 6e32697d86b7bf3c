"""The users of an application that a developer manages, answered from dictionaries."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from tests.kit.developers import NOW, Developers

from common.context import Context
from common.contracts.assignments import (
    AssignedRole,
    AssignedRoles,
    AssignRole,
    ListUserRoles,
    UnassignRole,
)
from common.contracts.audit_log import AuditRecord, AuditRecords, ListUserAudit
from common.contracts.base import Contract, Done, Request
from common.contracts.clients import ClientNotFound
from common.contracts.consents import Grant, Grants, ListUserGrants, RevokeUserGrant
from common.contracts.identities import (
    Identities,
    Identity,
    IdentityNotFound,
    ListUserIdentities,
    UnlinkUserIdentity,
)
from common.contracts.impersonation import Impersonation, StartImpersonation
from common.contracts.invitations import (
    Invitation,
    InvitationNotFound,
    Invitations,
    InviteUser,
    ListInvitations,
    ResendInvitation,
    RevokeInvitation,
)
from common.contracts.members import AddMember, Member, RemoveMember
from common.contracts.organizations import (
    GetOrganization,
    ListOrganizations,
    ListUserOrganizations,
    Organization,
    OrganizationNotFound,
    Organizations,
)
from common.contracts.passkeys import (
    ListUserPasskeys,
    Passkey,
    PasskeyNotFound,
    Passkeys,
    RemoveUserPasskey,
)
from common.contracts.profiles import User
from common.contracts.roles import ListRoles, Role, Roles
from common.contracts.second_factors import ResetSecondFactors
from common.contracts.sessions import (
    ListUserSessions,
    Revoked,
    RevokeUserSession,
    RevokeUserSessions,
    SessionEntry,
    SessionNotFound,
    Sessions,
)
from common.contracts.users import (
    CountUsers,
    CreateUser,
    DeleteUser,
    DisableUser,
    EmailTaken,
    EnableUser,
    ForceReset,
    GetUser,
    ListUsers,
    UnlockUser,
    UpdateUser,
    UserCount,
    UserDetails,
    UserNotFound,
    Users,
)
from common.ids import new_id
from common.problems import Problem

ALL: Final = (
    "audit:read",
    "users:read",
    "users:write",
    "users:delete",
    "users:impersonate",
    "roles:read",
    "roles:write",
    "organizations:read",
    "organizations:write",
)
LINK: Final = "http://shop.localhost:8080/impersonation?token=imp_x"


@dataclass
class People:
    """Users by id. `acts` are the calls that changed something, `lists` the searches, and `refusal` is
    raised by the next act."""

    developer: Developers
    users: dict[str, User] = field(default_factory=dict)
    acts: list[Request[Any]] = field(default_factory=list)
    lists: list[Any] = field(default_factory=list)
    counts: list[CountUsers] = field(default_factory=list)
    next: str | None = None
    refusal: Problem | None = None
    count: UserCount = field(default_factory=lambda: UserCount(count=1, relation="exact"))
    locked_until: datetime | None = None
    organization: Organization = field(
        default_factory=lambda: Organization(
            id=new_id(), slug="acme", name="Acme", role="admin", created_at=NOW, updated_at=NOW
        )
    )
    session_id: str = field(default_factory=new_id)
    link_id: str = field(default_factory=new_id)
    passkey_id: str = field(default_factory=new_id)
    invitation_id: str = field(default_factory=new_id)
    text: str = "Mira"
    """What a user or a provider chose: names of devices, keys and accounts."""

    def add(self, **fields: Any) -> User:
        """Adds a user. A contract refuses marks of direction in their name."""
        name = self.text.replace("\u202e", "")
        values = {"email": "mira@example.com", "name": name} | fields
        user = User(id=new_id(), created_at=NOW, updated_at=NOW, **values)
        self.users[user.id] = user
        return user

    def user(self, id: str) -> User:
        """Returns the user. Raises UserNotFound."""
        if id not in self.users:
            raise UserNotFound
        return self.users[id]

    def change(self, id: str, **changes: Any) -> User:
        """Stores changes of a user."""
        self.users[id] = self.user(id).model_copy(update=changes)
        return self.users[id]

    def note(self, request: Request[Any]) -> None:
        """Records an act, or refuses it."""
        if self.refusal is not None:
            raise self.refusal
        self.acts.append(request)


async def _list(people: People, ctx: Context, request: ListUsers) -> Users:
    people.lists.append(request)
    return Users(users=list(people.users.values()), next=people.next)


async def _get(people: People, ctx: Context, request: GetUser) -> UserDetails:
    user = people.user(request.user_id)
    return UserDetails(**dict(user), locked_until=people.locked_until)


async def _count(people: People, ctx: Context, request: CountUsers) -> UserCount:
    people.counts.append(request)
    return people.count


async def _grants(people: People, ctx: Context, request: ListUserGrants) -> Grants:
    user = people.user(request.user_id)
    one = Grant(
        user_id=user.id,
        client_id="client_x",
        client_name=people.text,
        scopes=["openid", "email"],
        created_at=NOW,
        updated_at=NOW,
    )
    return Grants(grants=[one])


async def _revoke_grant(people: People, ctx: Context, request: RevokeUserGrant) -> Done:
    if request.client_id != "client_x":
        raise ClientNotFound
    return await _done(people, ctx, request)


async def _all_organizations(
    people: People, ctx: Context, request: ListOrganizations
) -> Organizations:
    if not request.all:  # the developer's own teams, in the Dashboard
        return Organizations(organizations=people.developer.teams)
    return Organizations(organizations=[people.organization])


async def _organization(people: People, ctx: Context, request: GetOrganization) -> Organization:
    if request.org_id != people.organization.id:
        raise OrganizationNotFound
    return people.organization


async def _add_member(people: People, ctx: Context, request: AddMember) -> Member:
    people.note(request)
    return Member(user_id=request.user_id, role=request.role, created_at=NOW)


async def _remove_member(people: People, ctx: Context, request: RemoveMember) -> Done:
    if request.org_id != people.organization.id:
        raise OrganizationNotFound
    return await _done(people, ctx, request)


async def _create(people: People, ctx: Context, request: CreateUser) -> User:
    if any(user.email == request.email for user in people.users.values()):
        raise EmailTaken
    people.note(request)
    return people.add(email=request.email, name=request.profile.name)


async def _update(people: People, ctx: Context, request: UpdateUser) -> User:
    people.note(request)
    return people.change(request.user_id, **request.changes.model_dump(exclude_unset=True))


async def _done(people: People, ctx: Context, request: Any) -> Done:
    people.user(request.user_id)
    people.note(request)
    return Done()


async def _state(people: People, ctx: Context, request: DisableUser | EnableUser) -> User:
    people.note(request)
    return people.change(request.user_id, disabled=isinstance(request, DisableUser))


async def _sessions(people: People, ctx: Context, request: ListUserSessions) -> Sessions:
    people.user(request.user_id)
    entry = SessionEntry(
        id=people.session_id,
        device_name=people.text,
        place=people.text,
        ip_address="192.0.2.1",
        amr=["pwd"],
        created_at=NOW,
        expires_at=NOW + timedelta(hours=1),
        last_active_at=NOW,
        actor_id=new_id(),
        actor_reason=people.text,
    )
    return Sessions(sessions=[entry])


async def _revoke(people: People, ctx: Context, request: RevokeUserSession) -> Done:
    if request.user_id not in people.users or request.session_id != people.session_id:
        raise SessionNotFound
    people.note(request)
    return Done()


async def _revoke_all(people: People, ctx: Context, request: RevokeUserSessions) -> Revoked:
    people.user(request.user_id)
    people.note(request)
    return Revoked(revoked_count=1)


async def _identities(people: People, ctx: Context, request: ListUserIdentities) -> Identities:
    people.user(request.user_id)
    one = Identity(
        id=people.link_id,
        provider_name="google",
        provider_display_name=people.text,
        provider_user_id="g-1",
        email=people.text,
        created_at=NOW,
    )
    return Identities(identities=[one])


async def _unlink(people: People, ctx: Context, request: UnlinkUserIdentity) -> Done:
    if request.link_id != people.link_id:
        raise IdentityNotFound
    return await _done(people, ctx, request)


async def _passkeys(people: People, ctx: Context, request: ListUserPasskeys) -> Passkeys:
    people.user(request.user_id)
    one = Passkey(
        id=people.passkey_id,
        name=people.text,
        authenticator=people.text,
        credential_id="c",
        rp_id="localhost",
        backed_up=True,
        created_at=NOW,
    )
    return Passkeys(passkeys=[one])


async def _remove_passkey(people: People, ctx: Context, request: RemoveUserPasskey) -> Done:
    if request.passkey_id != people.passkey_id:
        raise PasskeyNotFound
    return await _done(people, ctx, request)


async def _roles(people: People, ctx: Context, request: ListRoles) -> Roles:
    names = ("admin", "editor")
    roles = [
        Role(id=id, name=f"{id} {people.text}", created_at=NOW, updated_at=NOW) for id in names
    ]
    return Roles(roles=roles)


async def _assigned(people: People, ctx: Context, request: ListUserRoles) -> AssignedRoles:
    people.user(request.user_id)
    return AssignedRoles(roles=[AssignedRole(id="admin", name=people.text, granted_at=NOW)])


async def _audit(people: People, ctx: Context, request: ListUserAudit) -> AuditRecords:
    people.user(request.user_id)
    record = AuditRecord(id=new_id(), event_type="login", event_data={}, created_at=NOW)
    return AuditRecords(audit_logs=[record], next=people.next)


async def _organizations(
    people: People, ctx: Context, request: ListUserOrganizations
) -> Organizations:
    people.user(request.user_id)
    one = people.organization.model_copy(update={"name": people.text})
    return Organizations(organizations=[one])


async def _impersonate(people: People, ctx: Context, request: StartImpersonation) -> Impersonation:
    people.user(request.user_id)
    people.note(request)
    return Impersonation(url=LINK, expires_at=NOW)


def _invitation(people: People) -> Invitation:
    return Invitation(
        id=people.invitation_id,
        email="invited@example.com",
        status="pending",
        sent_at=NOW,
        expires_at=NOW,
        created_at=NOW,
    )


async def _invitations(people: People, ctx: Context, request: ListInvitations) -> Invitations:
    return Invitations(invitations=[_invitation(people)])


async def _invite(people: People, ctx: Context, request: InviteUser) -> Invitation:
    people.note(request)
    return _invitation(people)


async def _invitation_act(
    people: People, ctx: Context, request: ResendInvitation | RevokeInvitation
) -> Contract:
    if request.invitation_id != people.invitation_id:
        raise InvitationNotFound
    people.note(request)
    return _invitation(people) if isinstance(request, ResendInvitation) else Done()


def people_of(developer: Developers, *permissions: str) -> People:
    """Registers the fake services. The developer has these permissions in their applications, by default
    all of them."""
    developer.permissions = list(permissions or ALL)
    people = People(developer)
    of_done = (AssignRole, UnassignRole, DeleteUser, ForceReset, UnlockUser, ResetSecondFactors)
    developer.world.bus.serve(
        people,
        {
            ListUsers: _list,
            CountUsers: _count,
            ListUserGrants: _grants,
            RevokeUserGrant: _revoke_grant,
            ListOrganizations: _all_organizations,
            GetOrganization: _organization,
            AddMember: _add_member,
            RemoveMember: _remove_member,
            GetUser: _get,
            CreateUser: _create,
            UpdateUser: _update,
            DisableUser: _state,
            EnableUser: _state,
            ListUserSessions: _sessions,
            RevokeUserSession: _revoke,
            RevokeUserSessions: _revoke_all,
            ListUserIdentities: _identities,
            UnlinkUserIdentity: _unlink,
            ListUserPasskeys: _passkeys,
            RemoveUserPasskey: _remove_passkey,
            ListRoles: _roles,
            ListUserRoles: _assigned,
            ListUserAudit: _audit,
            ListUserOrganizations: _organizations,
            StartImpersonation: _impersonate,
            ListInvitations: _invitations,
            InviteUser: _invite,
            ResendInvitation: _invitation_act,
            RevokeInvitation: _invitation_act,
            **dict.fromkeys(of_done, _done),
        },
    )
    return people
