"""A fake audit log, users, clients, providers and domains for the Dashboard's pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.kit.developers import NOW, Developers
from tests.kit.usage import usage_of

from common.context import Context
from common.contracts.audit_log import (
    AuditRecord,
    AuditRecordNotFound,
    AuditRecords,
    FollowAudit,
    GetAuditRecord,
    ListAudit,
)
from common.contracts.base import Done
from common.contracts.clients import (
    ClientExists,
    Clients,
    CreateClient,
    ListClients,
    NewClient,
)
from common.contracts.domains import CustomDomains, ListCustomDomains
from common.contracts.identity_providers import IdentityProviders, ListIdentityProviders
from common.contracts.mail_sender import GetMailSender, MailSender, MailSenderNotFound
from common.contracts.profiles import User
from common.contracts.usage import CountUsage, UsageCounts
from common.contracts.users import FindUser, ListUsers, UserNotFound, Users
from common.ids import new_id
from common.problems import Forbidden

CLIENT_SECRET = "secret_of_the_new_client"


@dataclass
class FakeLog:
    """The events of every application, the newest first, and what the pages called."""

    developers: Developers
    events: list[AuditRecord] = field(default_factory=list)
    users: list[User] = field(default_factory=list)
    clients: list[NewClient] = field(default_factory=list)
    more: str | None = None
    zone: str = "Europe/Berlin"
    sign_ins: list[int | None] | None = None
    mail_sender: MailSender | None = None

    def add(self, event_type: str, **fields: Any) -> AuditRecord:
        data = fields.pop("data", {})
        event = AuditRecord(
            id=new_id(), event_type=event_type, event_data=data, created_at=NOW, **fields
        )
        self.events.insert(0, event)
        return event

    def note(self, ctx: Context, call: Any, permission: str) -> None:
        """Records a call. Raises Forbidden if the developer lacks its permission."""
        self.developers.calls.append((ctx, call))
        if permission not in ctx.caller.permissions:
            raise Forbidden

    def calls(self, kind: type) -> list[Any]:
        return [call for _, call in self.developers.calls if isinstance(call, kind)]


async def _list(log: FakeLog, ctx: Context, request: ListAudit) -> AuditRecords:
    log.note(ctx, request, "audit:read")
    events = [e for e in log.events if request.event_type in (None, e.event_type)]
    return AuditRecords(audit_logs=events[: request.limit], next=log.more)


async def _get(log: FakeLog, ctx: Context, request: GetAuditRecord) -> AuditRecord:
    log.note(ctx, request, "audit:read")
    found = next((event for event in log.events if event.id == request.id), None)
    if found is None:
        raise AuditRecordNotFound
    return found


async def _count(log: FakeLog, ctx: Context, request: CountUsage) -> UsageCounts:
    log.note(ctx, request, "audit:read")
    return usage_of(request.window, zone=log.zone, values=log.sign_ins)


async def _follow(log: FakeLog, ctx: Context, request: FollowAudit) -> Done:
    log.note(ctx, request, "audit:read")
    return Done()


async def _users(log: FakeLog, ctx: Context, request: ListUsers) -> Users:
    log.note(ctx, request, "users:read")
    return Users(users=log.users)


async def _find_user(log: FakeLog, ctx: Context, request: FindUser) -> User:
    log.note(ctx, request, "users:read")
    for user in log.users:
        if user.email == request.email:
            return user
    raise UserNotFound


async def _clients(log: FakeLog, ctx: Context, request: ListClients) -> Clients:
    log.note(ctx, request, "clients:read")
    return Clients(clients=list(log.clients))


async def _create_client(log: FakeLog, ctx: Context, request: CreateClient) -> NewClient:
    if request.id is not None and request.id in {call.id for call in log.calls(CreateClient)}:
        raise ClientExists
    log.note(ctx, request, "clients:write")
    client = NewClient(
        **request.model_dump(exclude={"id"}),
        id=new_id(),
        client_id=f"client_{len(log.clients)}",
        created_at=NOW,
        updated_at=NOW,
        client_secret=CLIENT_SECRET if request.type == "web" else None,
    )
    log.clients.append(client)
    return client


async def _providers(
    log: FakeLog, ctx: Context, request: ListIdentityProviders
) -> IdentityProviders:
    log.note(ctx, request, "idps:read")
    return IdentityProviders(idps=[])


async def _domains(log: FakeLog, ctx: Context, request: ListCustomDomains) -> CustomDomains:
    log.note(ctx, request, "domains:read")
    return CustomDomains(domains=[])


async def _mail_sender(log: FakeLog, ctx: Context, request: GetMailSender) -> MailSender:
    log.note(ctx, request, "settings:read")
    if log.mail_sender is None:
        raise MailSenderNotFound
    return log.mail_sender


def fake_log(developers: Developers) -> FakeLog:
    """Registers the fake services."""
    log = FakeLog(developers)
    developers.world.bus.serve(
        log,
        {
            ListAudit: _list,
            GetAuditRecord: _get,
            CountUsage: _count,
            FollowAudit: _follow,
            ListUsers: _users,
            FindUser: _find_user,
            ListClients: _clients,
            CreateClient: _create_client,
            ListIdentityProviders: _providers,
            ListCustomDomains: _domains,
            GetMailSender: _mail_sender,
        },
    )
    return log
