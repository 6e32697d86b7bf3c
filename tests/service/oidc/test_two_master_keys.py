"""Two replicas that put different master keys first, as while a new one is rolled out: an answer that one of them has
given, the other one repeats."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio
from tests.kit.oauth import fields
from tests.kit.postgres import Postgres
from tests.kit.world import KEYS, MASTER_KEY, World

from aero2.embedded.secrets import master_key
from common.contracts.authorization import ResumeAuthorization
from common.contracts.oauth_errors import InvalidGrant
from common.crypto import ImportedKey, Keys
from oidc import repeated_submission

from .conftest import fresh_world

NEW = master_key()


def _keys(text: str) -> Keys:
    """Returns these master keys, of which the database remembers the eldest."""
    return replace(Keys.parse(text), eldest="k1")


@pytest_asyncio.fixture(scope="module", params=["old first", "new first"])
async def both(postgres: Postgres, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A world whose two replicas of oidc have the same master keys in another order."""
    keys = [_keys(f"{MASTER_KEY},{NEW}"), _keys(f"{NEW},{MASTER_KEY}")]
    if request.param == "new first":
        keys.reverse()
    async with fresh_world(postgres, keys=keys[0], replica_keys=keys[1]) as world:
        yield world


async def test_a_refresh_that_is_repeated_at_the_other_gets_the_same_successor(
    both: World,
) -> None:
    """The access tokens have one `jti`. The successor works at either replica, and so does the next one."""
    client, ann = await both.client(), await both.person()
    first = await both.tokens(client, ann)
    once = await both.refresh(client, first.refresh_token)
    again = await both.refresh(client, first.refresh_token, bus=both.replica.bus)

    assert again.refresh_token == once.refresh_token
    made = [await both.claims(one.access_token) for one in (once, again)]
    assert made[0]["jti"] == made[1]["jti"]
    second = await both.refresh(client, once.refresh_token, bus=both.replica.bus)
    repeated = await both.refresh(client, once.refresh_token)
    assert repeated.refresh_token == second.refresh_token
    assert (await both.refresh(client, second.refresh_token)).refresh_token


async def test_refreshes_at_once_get_the_same_successor(both: World) -> None:
    client, ann = await both.client(), await both.person()
    first = await both.tokens(client, ann)
    answers = await asyncio.gather(
        *(
            both.refresh(client, first.refresh_token, bus=(both.bus, both.replica.bus)[n % 2])
            for n in range(10)
        )
    )

    assert len({answer.refresh_token for answer in answers}) == 1
    assert (await both.refresh(client, answers[0].refresh_token)).access_token


async def test_a_successor_of_an_unknown_key_is_refused_and_ends_nothing(both: World) -> None:
    """Only the hash of a successor came along from another deployment, with its application: the repetition is
    refused, and the family goes on."""
    client, ann = await both.client(), await both.person()
    first = await both.tokens(client, ann)
    second = await both.refresh(client, first.refresh_token)
    hashes = both.oidc.keys.hashes("refresh", second.refresh_token or "")
    change = "UPDATE refresh_tokens SET token_hash = $2 WHERE token_hash = ANY($1::text[])"
    strange = "elsewhere." + hashes[0].partition(".")[2]
    await both.owner.execute(change, hashes, strange)
    with pytest.raises(InvalidGrant):
        await both.refresh(client, first.refresh_token)

    await both.owner.execute(change, [strange], hashes[0])
    assert (await both.refresh(client, second.refresh_token)).access_token
    assert await both.event_types("refresh_token_reused") == []


async def test_allowing_at_both_leads_to_the_same_code(both: World) -> None:
    client, ann = await both.client(first_party=False), await both.person()
    waiting = await both.authorize(client, ann)
    first = await both.resume(waiting.request, ann, consent="allow")
    repeated = ResumeAuthorization(request=waiting.request, session=ann.session, consent="allow")
    second = await both.replica.bus.call(both.ctx(), repeated)

    assert fields(second)["code"] == fields(first)["code"]


def test_a_request_that_came_with_its_application_has_a_code() -> None:
    """Its hash names a key of the other deployment, which makes nothing here. All replicas agree on the id."""
    imported = ImportedKey("app", "far", {"authorization-request": b"k" * 32}, "")
    request: Any = SimpleNamespace(
        pending=SimpleNamespace(id_hash="far.hash"),
        session=SimpleNamespace(session_id="s"),
        request_id="r",
    )
    made = {
        repeated_submission.code_id(
            cast(Any, SimpleNamespace(keys=replace(keys, imported=(imported,)))), request
        )
        for keys in (KEYS, _keys(f"{MASTER_KEY},{NEW}"), _keys(f"{NEW},{MASTER_KEY}"))
    }
    assert len(made) == 1
