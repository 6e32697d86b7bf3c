"""Steps of a backend at the JSON API of a running platform."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from tests.conformance.conftest import Client


async def created(api: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await api.post(path, json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def client_of(api: httpx.AsyncClient, **fields: Any) -> Client:
    made = await created(api, "/api/clients", {"name": "A client", **fields})
    return Client(made["client_id"], made["client_secret"], "client_secret_basic")


@asynccontextmanager
async def switched_on(api: httpx.AsyncClient, *settings: str) -> AsyncIterator[None]:
    """Switches these settings on, and off again."""
    for value in (True, False):
        answer = await api.put("/api/settings", json=dict.fromkeys(settings, value))
        assert answer.status_code == 200, answer.text
        if value:
            yield
