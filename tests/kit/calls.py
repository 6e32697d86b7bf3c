"""Calls to the services of a `World`, and a look at what they left in its database."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

import asyncpg
import pytest
from tests.kit.mails import Waiting, waiting
from tests.kit.stand_ins import StandIns

from common.audit import Entry
from common.context import Caller, Context
from common.contracts.app_settings import AppSettings
from common.contracts.base import Contract, Request
from common.db import Database
from common.ids import DASHBOARD
from common.problems import Problem
from common.sealing import Sealer
from common.tenants import Tenants
from common.testing import HOMES, LocalBus, MemoryActivity, MemoryInvalidation, context

R = TypeVar("R", bound=Contract)


class Letter(Waiting):
    """A mail that waits, with the code or the token of its link."""

    @property
    def code(self) -> str:
        return str(self.data["code"])

    @property
    def token(self) -> str:
        match = re.search(r"token=([\w.-]+)", str(self.data["link"]))
        assert match, self.data
        return match[1]


@dataclass
class Calls:
    """Services on one bus over one database. `owner` is a superuser, for preparing and looking.

    Calls are for the application `app_id` unless they name another, such as `other_app_id`.
    """

    dsns: dict[str, str]
    bus: LocalBus
    invalidation: MemoryInvalidation
    activity: MemoryActivity
    owner: asyncpg.Connection[asyncpg.Record]
    databases: dict[str, Database]
    """By database role."""
    tenants: Tenants
    sealer: Sealer
    stand_ins: StandIns
    request_facts: dict[str, Any] = field(default_factory=dict)
    """What each context holds unless a call says otherwise: `ip`, `agent`, `origin`."""
    app_id: str = ""
    other_app_id: str = ""
    dashboard: str = DASHBOARD
    default_caller: Caller | None = None
    homes: dict[str, str] = field(default_factory=lambda: HOMES)
    """By application; the others live in `main`."""

    def ctx(self, caller: Caller | None = None, app_id: str | None = None, **facts: Any) -> Context:
        """Returns the context of a request to the application."""
        return context(
            app_id or self.app_id,
            caller or self.default_caller,
            **{"within": 15} | self.request_facts | facts,
        )

    @overload
    async def call(
        self,
        request: Request[R],
        caller: Caller | Context | None = None,
        app_id: str | None = None,
        **facts: Any,
    ) -> R: ...

    @overload  # without it, mypy finds no reply for one of several requests
    async def call(
        self,
        request: Request[Any],
        caller: Caller | Context | None = None,
        app_id: str | None = None,
        **facts: Any,
    ) -> Any: ...

    async def call(
        self,
        request: Request[Any],
        caller: Caller | Context | None = None,
        app_id: str | None = None,
        **facts: Any,
    ) -> Any:
        """Returns the reply. Takes a whole context in the caller's place."""
        if not isinstance(caller, Context):
            caller = self.ctx(caller, app_id, **facts)
        return await self.bus.call(caller, request)

    async def refused(
        self,
        request: Request[Any],
        caller: Caller | Context | None = None,
        app_id: str | None = None,
        **facts: Any,
    ) -> Problem:
        """Returns the problem that the call ends with."""
        with pytest.raises(Problem) as caught:
            await self.call(request, caller, app_id, **facts)
        return caught.value

    def configure(self, app_id: str, **settings: Any) -> None:
        """Sets what the stand-in of tenancy says of an application."""
        self.stand_ins.tenancy.settings[app_id] = AppSettings(**settings)
        self.tenants.cache.clear()

    async def mails(self, app_id: str | None = None) -> list[Letter]:
        """Returns every mail that waits for the application, in order."""
        database = self.databases.get("identity") or self.databases["tenancy"]
        letters = await waiting(self.owner, database, self.sealer, app_id or self.app_id)
        return [Letter(**vars(letter)) for letter in letters]

    async def mail(self, app_id: str | None = None) -> Letter:
        """Returns the latest mail."""
        return (await self.mails(app_id))[-1]

    async def events(
        self, app_id: str | None = None, user_id: str | None = None
    ) -> list[tuple[str, dict[str, Any]]]:
        """Returns the audit log of the application, or of one of its users, in order."""
        rows = await self.owner.fetch(
            "SELECT event_type, event_data::text AS data FROM audit_logs WHERE app_id = $1"
            " AND ($2::uuid IS NULL OR user_id = $2) ORDER BY id",
            app_id or self.app_id,
            user_id,
        )
        return [(row["event_type"], json.loads(row["data"])) for row in rows]

    async def event_types(self, *only: str, app_id: str | None = None) -> list[str]:
        """Returns the types of the application's audit events, in order; of `only` these if any."""
        events = await self.events(app_id)
        return [name for name, _ in events if not only or name in only]

    def activity_of(self, user_id: str) -> list[Entry]:
        """Returns the activity of one user."""
        return [entry for entry in self.activity.noted if entry.user_id == user_id]

    async def row_digests(self, app_id: str) -> dict[str, str]:
        """Returns a digest of the application's rows in each table: any change shows."""
        tables = await self.owner.fetch(
            """
            SELECT DISTINCT c.relname FROM pg_class c
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'app_id'
            WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
              AND c.relnamespace = 'public'::regnamespace
              AND c.relname <> 'rate_limits'
            """
        )
        digests = {}
        for table in sorted(row["relname"] for row in tables):
            digests[table] = await self.owner.fetchval(
                f"SELECT coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') "
                f"FROM {table} t WHERE app_id = $1",
                app_id,
            )
        digests["applications"] = await self.owner.fetchval(
            "SELECT md5(a::text) FROM applications a WHERE id = $1", app_id
        )
        return digests
