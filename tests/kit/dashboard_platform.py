"""A fake platform for the pages of operators: processes on the bus, queues, a database, settings, keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Final, cast

import orjson
from tests.kit.dashboard_audit import FakeLog, fake_log
from tests.kit.developers import NOW, Developers, developers
from tests.kit.fake_services import FakeServices

from common.context import Context
from common.contracts.app_settings import AppSettings
from common.contracts.base import Request
from common.contracts.database_state import DatabaseState, GetDatabaseState
from common.contracts.keys import (
    ListSigningKeys,
    PublishedKey,
    PublishedKeys,
    RotateSigningKeys,
    TooManySigningKeys,
)
from common.contracts.platform_settings import (
    GetPlatformSettings,
    PlatformSettings,
    UpdatePlatformSettings,
)
from common.contracts.queues import GetQueues, Queue, Queues
from common.problems import Unavailable
from gateway.app import GatewayApp
from gateway.service_discovery import INFO, SERVICES, STATS
from tenancy.app_settings import merged

OPERATOR: Final = (
    "apps:read", "apps:create", "teams:read", "platform:manage", "apps:read:all", "audit:read",
    "users:read", "developers:read",
)  # fmt: skip
"""Permissions of an operator in the Dashboard."""
Receive = Callable[[Any], Awaitable[None]]


def stats_of(service: str, **changes: Any) -> dict[str, Any]:
    """Returns what a process reports on `$SRV.STATS`."""
    endpoint = {
        "subject": f"{service}.thing.get",
        "num_requests": 200,
        "num_errors": 0,
        "processing_time": 400_000_000,
        "data": {"running": 1, "hash_queue": 3 if service == "identity" else None},
    }
    system = {"subject": f"system.{service}.thing.get", "num_requests": 100, "data": None}
    return {
        "type": "io.nats.micro.v1.stats_response",
        "name": service,
        "id": f"ID{service}",
        "version": "0.1.0",
        "started": "2026-01-02T03:04:05.678Z",
        "metadata": {"replica": "0"},
        "endpoints": [endpoint, system],
    } | changes


@dataclass
class FakeNats:
    """A connection on which processes answer `$SRV.STATS` and `$SRV.INFO`, and the stream its state.
    `questions` are the subjects that were asked."""

    processes: list[dict[str, Any]] = field(default_factory=lambda: [*map(stats_of, SERVICES)])
    silent_on_stats: set[str] = field(default_factory=set)
    raw: list[bytes] = field(default_factory=list)
    stream: dict[str, Any] | None = field(
        default_factory=lambda: {
            "messages": 1234, "bytes": 5_600_000, "consumer_count": 2,
            "first_ts": "2026-01-01T00:00:00.123456789Z", "last_ts": "2026-01-02T00:00:00Z",
        }
    )  # fmt: skip
    questions: list[str] = field(default_factory=list)
    open_inboxes: int = 0
    _receive: Receive | None = None
    _deliveries: list[asyncio.Task[None]] = field(default_factory=list)

    def new_inbox(self) -> str:
        return "_INBOX_gateway.x"

    async def subscribe(self, subject: str, cb: Receive, pending_msgs_limit: int) -> Any:
        self._receive = cb
        self.open_inboxes += 1
        return SimpleNamespace(unsubscribe=self._close)

    async def _close(self) -> None:
        self.open_inboxes -= 1

    async def publish(self, subject: str, data: bytes, reply: str) -> None:
        self.questions.append(subject)
        self._deliveries.append(asyncio.create_task(self._answer(subject)))

    async def _answer(self, subject: str) -> None:
        assert self._receive is not None
        for process in self.processes:
            if subject == STATS and process["id"] not in self.silent_on_stats:
                await self._receive(SimpleNamespace(data=orjson.dumps(process)))
            if subject == INFO:
                info = {**process, "type": "io.nats.micro.v1.info_response"}
                await self._receive(SimpleNamespace(data=orjson.dumps(info)))
        for data in self.raw:
            await self._receive(SimpleNamespace(data=data))

    async def request(self, subject: str, data: bytes, timeout: float) -> Any:
        self.questions.append(subject)
        if self.stream is None:
            raise TimeoutError
        return SimpleNamespace(data=orjson.dumps({"state": self.stream}))


@dataclass
class FakePlatform:
    """The state of the platform, and the calls of its pages. Services named in `away` do not answer."""

    people: Developers
    log: FakeLog
    nats: FakeNats = field(default_factory=FakeNats)
    away: set[type[Request[Any]]] = field(default_factory=set)
    queues: Queues = field(
        default_factory=lambda: Queues(relay=dict.fromkeys(SERVICES, Queue()), mail=Queue())
    )
    database: DatabaseState = field(
        default_factory=lambda: DatabaseState(
            version="18.1", size_bytes=123_456_789, connections=20, max_connections=120
        )
    )
    settings: PlatformSettings = field(default_factory=PlatformSettings)
    stored: dict[str, Any] = field(default_factory=dict)
    refuses_rotation: bool = False
    calls: list[tuple[Context, Request[Any]]] = field(default_factory=list)

    def note(self, ctx: Context, call: Request[Any]) -> None:
        """Records a call. Raises Unavailable if its service is away."""
        ctx.allow(call.needs)
        self.calls.append((ctx, call))
        if type(call) in self.away:
            raise Unavailable

    def of(self, kind: type) -> list[Any]:
        return [call for _, call in self.calls if isinstance(call, kind)]


async def _database(world: FakePlatform, ctx: Context, call: GetDatabaseState) -> DatabaseState:
    world.note(ctx, call)
    return world.database


async def _queues(world: FakePlatform, ctx: Context, call: GetQueues) -> Queues:
    world.note(ctx, call)
    return world.queues


async def _settings(
    world: FakePlatform, ctx: Context, call: GetPlatformSettings
) -> PlatformSettings:
    world.note(ctx, call)
    return world.settings


async def _update(
    world: FakePlatform, ctx: Context, call: UpdatePlatformSettings
) -> PlatformSettings:
    world.note(ctx, call)
    world.stored, _ = merged(world.stored, call.changes.new_applications)
    update: dict[str, Any] = {"new_applications": AppSettings.model_validate(world.stored)}
    if "applications_per_team" in call.changes.model_fields_set:
        update["applications_per_team"] = call.changes.applications_per_team
    world.settings = world.settings.model_copy(update=update)
    return world.settings


async def _keys(world: FakePlatform, ctx: Context, call: ListSigningKeys) -> PublishedKeys:
    world.note(ctx, call)
    states = (("kid-next", "next"), ("kid-active", "active"), ("kid-retiring", "retiring"))
    return PublishedKeys(
        signing_keys=[
            PublishedKey(
                kid=f"{kid}-of-{ctx.app_id[-4:]}",
                alg="ES256",
                state=cast(Any, state),
                created_at=NOW,
                signs_at=NOW,
                replaced_at=NOW + timedelta(days=90) if state == "active" else None,
                retires_at=NOW + timedelta(days=1) if state == "retiring" else None,
            )
            for kid, state in states
        ]
    )


async def _rotate(world: FakePlatform, ctx: Context, call: RotateSigningKeys) -> PublishedKeys:
    if world.refuses_rotation:
        raise TooManySigningKeys
    world.note(ctx, call)
    return PublishedKeys(signing_keys=[])


def fake_platform(gateway_app: GatewayApp, world: FakeServices, *permissions: str) -> FakePlatform:
    """Registers the fake services, with an operator who is signed in by the cookie `t_dev`, or somebody
    with these permissions."""
    people = developers(world, *(permissions or OPERATOR))
    people.managed["dashboard"] = world.tenants["dashboard.localhost:8080"]
    people.managed["shop"] = world.add("shop")
    people.permissions = ["settings:read", "audit:read"]
    platform = FakePlatform(people, fake_log(people))
    gateway_app.gateway.links = cast(Any, SimpleNamespace(nc=platform.nats))
    world.bus.serve(
        platform,
        {
            GetDatabaseState: _database,
            GetQueues: _queues,
            GetPlatformSettings: _settings,
            UpdatePlatformSettings: _update,
            ListSigningKeys: _keys,
            RotateSigningKeys: _rotate,
        },
    )
    return platform
