"""The health check survives every error of a database that stops."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from common.db import Database
from common.process_life import is_healthy


class Dying:
    """A pool that lends no connection."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def acquire(self, within: float) -> Any:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InternalClientError("got result for unknown protocol state 3"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        ConnectionRefusedError(),
    ],
)
async def test_a_dying_database_is_not_well_and_ends_nothing(error: Exception) -> None:
    """The check returns False. An exception would end the process, although it could recover."""
    links: Any = SimpleNamespace(nc=SimpleNamespace(is_connected=True), refused_subjects=set())
    pool: Any = Dying(error)

    assert not await is_healthy(links, Database(pool))
