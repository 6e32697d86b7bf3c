"""Two Postgres clusters, `main` and `west`, behind the interface of one.

A test that works with `Postgres` and `World` works with both: clones come in pairs, a `World` serves both,
and its `owner` sends each statement to the cluster that has the rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
from tests.kit.postgres import TEMPLATE, Postgres

from common.homes import MAIN
from common.testing import HOMES

WEST: Final = "west"
AT_WEST: Final = f"@{WEST}"
REGISTRY: Final = re.compile(
    r"\b(applications|application_api_keys|application_words|custom_domains|deleted_slugs"
    r"|platform_settings|clusters)\b"
)
"""Tables that are on `main`, wherever an application lives."""
PLACEHOLDER: Final = re.compile(r"\s*UPDATE applications\b")


@dataclass
class TwoClusters(Postgres):
    """The server of `main`, with the one of `west` beside it."""

    first: Postgres = field(kw_only=True)
    west: Postgres = field(kw_only=True)

    @classmethod
    def beside(cls, main: Postgres, west: Postgres) -> TwoClusters:
        """Returns both servers as one. The caller stops them."""
        return cls(
            main.folder,
            main.binaries,
            main.port,
            main.passwords,
            main.process,
            first=main,
            west=west,
        )

    def dsns(self, database: str) -> dict[str, str]:
        """Returns the DSNs by role: those of `west` are `identity@west` and so on."""
        others = self.west.dsns(database)
        return super().dsns(database) | {f"{role}{AT_WEST}": dsn for role, dsn in others.items()}

    def clone(self, template: str = TEMPLATE) -> str:
        """Clones a database in both clusters, under one name."""
        name = self.first.clone(template)
        self.west.clone_as(name)
        return name

    def drop(self, database: str) -> None:
        super().drop(database)
        self.west.drop(database)


@dataclass
class OwnerOfTwo:
    """A superuser's connections to both clusters. A statement goes to `main` if it names a registry, else to
    the cluster of the first application among its arguments, or to those of a list of applications, else to
    both, but inserts once."""

    main: asyncpg.Connection[asyncpg.Record]
    west: asyncpg.Connection[asyncpg.Record]
    homes: Mapping[str, str] = field(default_factory=lambda: HOMES)
    """By application; the others live in `main`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.main, name)

    def _of(self, sql: str, args: tuple[Any, ...]) -> list[asyncpg.Connection[asyncpg.Record]]:
        if REGISTRY.search(sql):
            is_placeholder = PLACEHOLDER.match(sql) and "owner_org_id" not in sql
            return [self.main, self.west] if is_placeholder else [self.main]
        named = [self.west if home == WEST else self.main for home in self._named(sql, args)]
        if sql.lstrip().startswith("INSERT"):
            return named[:1] or [self.main]  # of an application that a test has inserted itself
        return named or [self.main, self.west]

    def _named(self, sql: str, args: tuple[Any, ...]) -> list[str]:
        """Returns the homes of the first argument that names applications, else that of one in the text."""
        for arg in args:
            texts = arg if isinstance(arg, list) else [arg]
            found = [
                self.homes[text] for text in texts if isinstance(text, str) and text in self.homes
            ]
            if found:
                return list(dict.fromkeys(found))
        return [home for app_id, home in self.homes.items() if app_id in sql][:1]

    async def execute(self, sql: str, *args: Any, **options: Any) -> str:
        first, *others = self._of(sql, args)
        tag: str = await first.execute(sql, *args, **options)
        for other in others:
            await other.execute(sql, *args, **options)
        return tag

    async def executemany(self, sql: str, args: Iterable[tuple[Any, ...]]) -> None:
        for each in args:
            await self.execute(sql, *each)

    async def fetch(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        return [row for one in self._of(sql, args) for row in await one.fetch(sql, *args)]

    async def fetchrow(self, sql: str, *args: Any) -> asyncpg.Record | None:
        rows = await self.fetch(sql, *args)
        return rows[0] if rows else None

    async def fetchval(self, sql: str, *args: Any) -> Any:
        values = [await one.fetchval(sql, *args) for one in self._of(sql, args)]
        if len(values) > 1 and all(type(each) is int for each in values):
            return sum(values)  # a count
        return next((each for each in values if each is not None), None)

    async def close(self) -> None:
        await self.main.close()
        await self.west.close()


def is_double(dsns: Mapping[str, str]) -> bool:
    """Returns whether these are the DSNs of two clusters."""
    return f"owner{AT_WEST}" in dsns


def homes_of(dsns: Mapping[str, str]) -> list[str]:
    """Returns the names of the clusters."""
    return [MAIN, WEST] if is_double(dsns) else [MAIN]
