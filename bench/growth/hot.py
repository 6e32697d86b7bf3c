"""Contracts that run at every request, sign-in and change, and the jobs of the services."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from tests.kit.callers import as_user
from tests.kit.factories import Person
from tests.kit.oauth import basic_of

from bench.growth.application import SCOPE, SLUG, BenchApplication
from bench.growth.questions import Act, Question
from common.context import SYSTEM_CALLER
from common.contracts.access_check import CheckAccess
from common.contracts.access_check import Question as AccessQuestion
from common.contracts.base import Request
from common.contracts.consents import ListMyGrants, RevokeClientGrants
from common.contracts.invitations import InviteUser
from common.contracts.logout import LogOut
from common.contracts.me import ExportMe, GetMe
from common.contracts.rights import GetRights
from common.contracts.sessions import CheckSession, ListSessions, RevokeUserSessions
from common.contracts.tenants import ResolveHost
from common.contracts.tokens import CheckAccessToken, IntrospectToken
from common.contracts.userinfo import GetUserinfo
from common.contracts.users import (
    DeleteUser,
    DisableUser,
    EnableUser,
    FindUser,
    GetUser,
    UpdateUser,
)
from common.ids import new_id
from common.sweeps import sweep
from identity import guest_expiry, impersonation_end, queues, unprovisioned_users, user_batch_worker
from identity.queries.sweeps import EXPIRED as IDENTITY_EXPIRED
from oidc import backchannel_delivery, session_end_listener
from oidc.queries.sweeps import EXPIRED as OIDC_EXPIRED
from tenancy import audit_retention, audit_sealing, org_domain_recheck
from tenancy.queries.sweeps import EXPIRED as TENANCY_EXPIRED

SEALED: Final = 50
"""Events of a sealing round."""


def _hot(name: str, ask: Act) -> Question:
    return Question("hot", name, ask)


def _asks(
    make: Callable[[BenchApplication], Request[Any]],
) -> Callable[[BenchApplication], Awaitable[object]]:
    return lambda app: app.ask(make(app))


def _asks_as_user(request: Request[Any]) -> Callable[[BenchApplication], Awaitable[object]]:
    return lambda app: app.ask(request, as_user(app.reader))


async def _sign_in(app: BenchApplication) -> None:
    await app.world.sign_in(app.user)


async def _code(app: BenchApplication) -> None:
    await app.world.tokens(app.client, app.person, scope=SCOPE)


async def _refresh(app: BenchApplication) -> None:
    app.tokens = await app.world.refresh(app.client, app.tokens.refresh_token)


async def _introspect(app: BenchApplication) -> None:
    secret = app.client.client_secret
    assert secret is not None
    params = [("token", app.tokens.refresh_token or "")]
    await app.ask(IntrospectToken(params=params, basic=basic_of(app.client.client_id, secret)))


async def _update(app: BenchApplication) -> None:
    changes = {"name": f"Sample Person {new_id()[-4:]}"}
    await app.ask(UpdateUser.model_validate({"user_id": app.user.id, "changes": changes}))


async def _create_and_delete(app: BenchApplication) -> None:
    """A whole life: the deletion follows each key that refers to a user."""
    user = await app.world.user()
    signed_in = (await app.world.sign_in(user)).full()
    person = Person(user.id, app.person.session.model_copy(update={
        "session_id": signed_in.id, "user_id": user.id, "auth_time": signed_in.auth_time}))  # fmt: skip
    await app.world.tokens(app.client, person, scope=SCOPE)
    await app.ask(DeleteUser(user_id=user.id))


async def _disable_and_enable(app: BenchApplication) -> None:
    user = await app.world.user(password=None)
    await app.ask(DisableUser(user_id=user.id))
    await app.ask(EnableUser(user_id=user.id))


async def _end_sessions(app: BenchApplication) -> None:
    user = await app.world.user()
    await app.world.sign_in(user)
    await app.ask(RevokeUserSessions(user_id=user.id))


async def _log_out(app: BenchApplication) -> None:
    params = [("id_token_hint", app.tokens.id_token or ""), ("client_id", app.client.client_id)]
    await app.ask(LogOut(params=params, session=app.person.session))


HOT: Final = (
    _hot("session check", _asks(lambda app: CheckSession(token=app.signed_in.token))),
    _hot("rights of a user", lambda app: app.ask(GetRights(user_id=app.user.id), SYSTEM_CALLER)),
    _hot("access check", _asks(lambda app: CheckAccess(
        checks=[AccessQuestion(user_id=app.user.id, permission="users:read")]))),
    _hot("access token check", _asks(lambda app: CheckAccessToken(token=app.tokens.access_token))),
    _hot("userinfo", _asks(lambda app: GetUserinfo(token=app.tokens.access_token))),
    _hot("introspection of a refresh token", _introspect),
    _hot("refresh", _refresh),
    _hot("authorization code and its redemption", _code),
    _hot("sign-in with a password", _sign_in),
    _hot("logout of a client", _log_out),
    _hot("host of a request", _asks(lambda app: ResolveHost(host=f"{SLUG}.localhost:8080"))),
    _hot("user by id", _asks(lambda app: GetUser(user_id=app.user.id))),
    _hot("user by address", _asks(lambda app: FindUser(email="sample@mail.example"))),
    _hot("own profile", _asks_as_user(GetMe())),
    _hot("own sessions", _asks_as_user(ListSessions())),
    _hot("own grants", _asks_as_user(ListMyGrants())),
    _hot("own data (GDPR export)", _asks_as_user(ExportMe())),
    _hot("invite a user", _asks(lambda _: InviteUser(email=f"{new_id()}@mail.example"))),
    _hot("change of a name", _update),
    _hot("create, sign in and delete a user", _create_and_delete),
    _hot("disable and enable a user", _disable_and_enable),
    _hot("end all sessions of a user", _end_sessions),
    _hot("end a user's grant of a client", _asks(lambda app: RevokeClientGrants(
        client=app.client.client_id, user_id=new_id()))),
)  # fmt: skip


async def _new_events(app: BenchApplication, kind: str) -> list[str]:
    """Inserts events that are not sealed. As the owner: that is not counted."""
    ids = [new_id() for _ in range(SEALED)]
    await app.world.owner.execute(
        "INSERT INTO audit_logs (app_id, id, event_type, user_id)"
        " SELECT $1, id, $3, $4 FROM unnest($2::uuid[]) AS new (id)",
        app.app_id, ids, kind, app.user.id,
    )  # fmt: skip
    return ids


async def _seal_events(app: BenchApplication) -> None:
    ids = await _new_events(app, "session_started")
    await audit_sealing.seal_events(app.world.tenancy, app.app_id, ids)


async def _seal_all(app: BenchApplication) -> None:
    await _new_events(app, "session_started")
    await audit_sealing.seal(app.world.tenancy, app.app_id)


def _job(name: str, work: Callable[[BenchApplication], Awaitable[object]]) -> Question:
    return Question("job", name, work)


JOBS: Final = (
    _job(f"sealing {SEALED} events", _seal_events),
    _job("sealing sweep of the last ten minutes", _seal_all),
    _job("expired rows of identity", lambda app: sweep(app.world.sweep_db, IDENTITY_EXPIRED)),
    _job("expired rows of oidc", lambda app: sweep(app.world.sweep_db, OIDC_EXPIRED)),
    _job("expired rows of tenancy", lambda app: sweep(app.world.sweep_db, TENANCY_EXPIRED)),
    _job("guests to delete", lambda app: guest_expiry.GuestSweep(app.world.identity).run_once()),
    _job("users to provision",
         lambda app: unprovisioned_users.Sweep(app.world.identity).run_once()),
    _job("impersonations to end",
         lambda app: impersonation_end.ImpersonationSweep(app.world.identity).run_once()),
    _job("batches of users", lambda app: user_batch_worker.work_once(app.world.identity)),
    _job("length of the queues", lambda app: queues.measure(app.world.identity)),
    _job("ended sessions", lambda app: session_end_listener.notify_missed(app.world.oidc)),
    _job("logout deliveries", lambda app: backchannel_delivery.deliver_due(app.world.oidc)),
    _job("retention of events", lambda app: audit_retention.delete_old_events(app.world.tenancy)),
    _job("proofs of organization domains",
         lambda app: org_domain_recheck.recheck_due(app.world.tenancy)),
)  # fmt: skip
