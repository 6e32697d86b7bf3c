"""A pooler between a service and PostgreSQL is refused at the start, by a sentence."""

from __future__ import annotations

import pytest
from tests.kit.pooler import pooler

from common.connection_poolers import PoolerFound
from common.db import Database


@pytest.mark.parametrize("refusal", [b"", b"unsupported startup parameter: plan_cache_mode"])
async def test_a_pooler_is_refused(database: dict[str, str], refusal: bytes) -> None:
    """It refuses our settings, or it was told to ignore them."""
    async with pooler(database["identity"], refusal) as dsn:
        with pytest.raises(PoolerFound, match="Connect to PostgreSQL directly"):
            await Database.connect(dsn, name="test")


async def test_another_error_of_the_protocol_is_told_as_it_is(database: dict[str, str]) -> None:
    """It is not a pooler's."""
    async with pooler(database["identity"], b"invalid startup packet") as dsn:
        with pytest.raises(Exception, match="invalid startup packet"):
            await Database.connect(dsn, name="test")
