"""The data keys of applications in memory, for tests without a database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from common.db import Db


class DataKeys:
    """Answers the statements of `common.sealing` as a connection does, and counts them."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, str]]] = {}
        self.reads = 0

    @property
    def db(self) -> Db:
        return cast("Db", self)

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Db]:
        yield self.db

    async def fetchrow(self, _: str, app_id: str, *__: Any) -> dict[str, str] | None:
        self.reads += 1
        rows = self.rows.get(app_id, [])
        return rows[-1] if rows else None

    async def fetch(self, _: str, app_id: str) -> list[dict[str, str]]:
        self.reads += 1
        return self.rows.get(app_id, [])

    async def execute(self, _: str, app_id: str, id: str, wrapped: str) -> str:
        self.rows.setdefault(app_id, []).append({"id": id, "wrapped": wrapped})
        return "INSERT 0 1"
