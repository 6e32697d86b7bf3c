"""What a refresh asks the database for."""

from __future__ import annotations

import re

import asyncpg
import pytest
from tests.kit.factories import Person
from tests.kit.round_trips import recorded_round_trips
from tests.kit.world import World

from common.contracts.oauth_errors import InvalidGrant
from oidc.refresh_token_text import OFFLINE, ONLINE

TABLE = re.compile(r"\b(?:FROM|JOIN|UPDATE|INTO|,)\s+([a-z]+(?:_[a-z]+)*)\s+[a-z]\b")


async def _member(world: World) -> Person:
    """Returns a person whose session has an organization."""
    ann = await world.person()
    org_id = await world.insert_organization(world.app_id, **{ann.user_id: "member"})
    ann.session = ann.session.model_copy(update={"org_id": org_id})
    return ann


@pytest.mark.parametrize("rotates", [True, False])
async def test_a_refresh_is_one_round_trip(world: World, rotates: bool) -> None:
    """Its statement names no table of organizations: each would cost, read or not."""
    client = await world.client(rotate_refresh_tokens=rotates)
    tokens = await world.tokens(client, await world.person())
    tokens = await world.refresh(client, tokens.refresh_token)
    with recorded_round_trips() as made:
        await world.refresh(client, tokens.refresh_token)

    assert len(made) == 1, "\n".join(made)
    assert "token_families" in TABLE.findall(made[0])
    assert not [table for table in TABLE.findall(made[0]) if table.startswith("organization")]


async def test_a_refresh_in_an_organization_asks_for_the_role_too(world: World) -> None:
    """Also a repeated request gets the role."""
    client, ann = await world.client(), await _member(world)
    first = await world.tokens(client, ann)
    with recorded_round_trips() as made:
        second = await world.refresh(client, first.refresh_token)
    again = await world.refresh(client, first.refresh_token)

    assert len(made) == 2, "\n".join(made)
    one, same = await world.claims(second.access_token), await world.claims(again.access_token)
    assert (one["org_id"], one["org_role"]) == (ann.session.org_id, "member")
    assert (same["org_role"], same["jti"]) == (one["org_role"], one["jti"])


async def test_a_role_that_could_not_be_read_costs_no_token(world: World) -> None:
    """The token was rotated, and the role was not read. The client repeats its request, and gets
    the successor."""
    client, ann = await world.client(), await _member(world)
    first = await world.tokens(client, ann)
    await world.owner.execute("REVOKE SELECT ON organization_members FROM aero2_oidc")
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await world.refresh(client, first.refresh_token)
    finally:
        await world.owner.execute("GRANT SELECT ON organization_members TO aero2_oidc")
    second = await world.refresh(client, first.refresh_token)

    assert (await world.claims(second.access_token))["org_role"] == "member"
    assert (await world.refresh(client, second.refresh_token)).access_token


async def test_an_offline_token_asks_for_no_session(world: World) -> None:
    """The text of the token says that it is offline, and so does its successor's."""
    client, ann = await world.client(), await world.person()
    for scope, sessions in (("openid offline_access", False), ("openid", True)):
        tokens = await world.tokens(client, ann, scope=scope)
        tokens = await world.refresh(client, tokens.refresh_token)
        with recorded_round_trips() as made:
            await world.refresh(client, tokens.refresh_token)
        assert len(made) == 1, "\n".join(made)
        assert ("user_sessions" in TABLE.findall(made[0])) is sessions


async def test_a_token_cannot_change_its_kind(world: World) -> None:
    """A token of a session that pretends to be offline is unknown. It outlives no session, and ends
    no family."""
    client, ann = await world.client(), await world.person()
    tokens = await world.tokens(client, ann, scope="openid")
    token = tokens.refresh_token or ""
    pretended = OFFLINE + token.removeprefix(ONLINE)
    assert token.startswith(ONLINE)
    assert pretended != token
    with pytest.raises(InvalidGrant):
        await world.refresh(client, pretended)

    assert await world.refresh(client, token)


async def test_the_database_decides_whether_a_token_is_offline(world: World) -> None:
    """A row of a family that is not offline is not found by the statement for offline tokens, even if
    its text says offline. So it ends with its session."""
    client, ann = await world.client(), await world.person()
    tokens = await world.tokens(client, ann, scope="openid offline_access")
    await world.owner.execute("UPDATE token_families SET offline = false")
    with pytest.raises(InvalidGrant):
        await world.refresh(client, tokens.refresh_token)
