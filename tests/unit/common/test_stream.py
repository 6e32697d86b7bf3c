"""The stream has the replicas of the settings, and the bus may have several servers."""

from __future__ import annotations

import base64
import os
from typing import Any

import pytest
from nats.js.errors import NotFoundError
from pydantic import SecretStr, ValidationError

from common.outbox import ensure_stream
from common.settings import Settings

KEY = SecretStr("k1:" + base64.b64encode(os.urandom(32)).decode())


async def test_a_missing_stream_is_made_with_its_copies() -> None:
    """A missing stream is created. An existing one stays as it is."""
    made: list[dict[str, Any]] = []

    class JetStream:
        there = False

        async def stream_info(self, name: str) -> None:
            if not self.there:
                raise NotFoundError

        async def add_stream(self, **config: Any) -> None:
            made.append(config)

    js: Any = JetStream()
    await ensure_stream(js, replicas=3)
    js.there = True
    await ensure_stream(js, replicas=5)

    assert [config["num_replicas"] for config in made] == [3]


def test_several_servers_stand_in_one_variable() -> None:
    settings = Settings(master_key=KEY, nats_url="nats://a:4222, nats://b:4222,")

    assert settings.nats_servers == ["nats://a:4222", "nats://b:4222"]
    with pytest.raises(ValidationError, match="an address is needed"):
        Settings(master_key=KEY, nats_url=" , ")
