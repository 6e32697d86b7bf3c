"""Grants that are not codes: one statement consumes the row of an approved request and starts a token family.

The statement here is one for device codes, composed as docs/dev/add-grant.md says.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import pytest
from tests.kit.factories import Person
from tests.kit.world import World

from common.contracts.clients import NewClient
from common.contracts.consents import RevokeUserGrant
from common.contracts.oauth_errors import InvalidDpopProof, InvalidGrant, InvalidTarget
from common.contracts.tokens import CheckAccessToken, Tokens
from common.ids import new_id
from common.sql import numbered
from oidc import family_start, oauth_parameters
from oidc.client_cache import find_registered
from oidc.queries.family_start import START_FAMILY, AuditParameters, NewFamily
from oidc.token_request import TokenRequest


class DeviceKey(NamedTuple):
    """The code."""

    device_code_hash: str


REDEEM: Final = numbered(
    f"""
    WITH consumed AS (
        UPDATE device_codes d SET used_at = now()
        WHERE d.app_id = :app_id AND d.device_code_hash = :device_code_hash
          AND d.client_id = :client_id AND d.used_at IS NULL AND d.status = 'approved'
          AND d.expires_at > now()
        RETURNING 1
    ), {START_FAMILY}
    """,
    NewFamily,
    AuditParameters,
    DeviceKey,
)


@dataclass(kw_only=True)
class DeviceContent:
    """What the row of an approved device code holds."""

    id: str
    client_epoch: int = 0
    user_id: str
    user_epoch: int = 0
    session_id: str | None
    scopes: list[str] = field(default_factory=lambda: ["openid", "email"])
    resource: list[str] = field(default_factory=list)
    claims: dict[str, Any] | None = None
    nonce: str | None = None
    auth_time: datetime = field(default_factory=lambda: datetime.now(UTC))
    acr: str | None = None
    amr: list[str] = field(default_factory=list)
    org_id: str | None = None
    revocations: list[str] = field(default_factory=list)
    cnf: dict[str, Any] | None = None
    authorization_details: list[dict[str, Any]] | None = None


async def approved(world: World, client: NewClient, person: Person, **more: Any) -> DeviceContent:
    """Inserts an approved device code."""
    content = DeviceContent(
        **{
            "id": new_id(),
            "user_id": person.user_id,
            "session_id": person.session.session_id,
            **more,
        }
    )
    await world.owner.execute(
        "INSERT INTO device_codes (app_id, device_code_hash, user_code_hash, client_id, scopes, user_id,"
        " status, expires_at) VALUES ($1, $2, $2, $3, '{}', $4, 'approved', now() + interval '1 minute')",
        world.app_id,
        content.id,
        client.client_id,
        person.user_id,
    )
    return content


async def redeem(
    world: World,
    client: NewClient,
    content: DeviceContent,
    *,
    replica: bool = False,
    cnf: dict[str, str] | None = None,
    **params: str,
) -> Tokens:
    deps, ctx = world.replica.oidc if replica else world.oidc, world.ctx()
    registered = await find_registered(deps, ctx, client.client_id)
    assert registered is not None
    parameters = oauth_parameters.without_repeats(list(params.items()))
    return await family_start.redeem(
        deps,
        ctx,
        TokenRequest(registered, parameters, cnf),
        content,
        statement=REDEEM,
        consumed=DeviceKey(content.id),
        kind="device",
    )


async def test_a_grant_becomes_one_token_family(world: World) -> None:
    """Of twenty redemptions over two replicas one gets tokens. They are valid, refresh, and end with the
    session."""
    client, ann = await world.client(), await world.person()
    content = await approved(world, client, ann)
    answers = await asyncio.gather(
        *(redeem(world, client, content, replica=n % 2 == 1) for n in range(20)),
        return_exceptions=True,
    )
    (tokens,) = [answer for answer in answers if isinstance(answer, Tokens)]
    assert all(isinstance(answer, Tokens | InvalidGrant) for answer in answers)
    assert tokens.id_token
    checked = await world.call(CheckAccessToken(token=tokens.access_token))
    assert (checked.user_id, checked.grant_id) == (ann.user_id, content.id)
    tokens = await world.refresh(client, tokens.refresh_token)
    events = await world.owner.fetch(
        "SELECT event_type FROM audit_logs WHERE user_id = $1", ann.user_id
    )
    assert [row["event_type"] for row in events].count("token_issued") == 1
    assert await world.owner.fetchval("SELECT count(*) FROM session_clients") == 1
    await world.owner.execute("UPDATE user_sessions SET revoked_at = now()")
    with pytest.raises(InvalidGrant):
        await world.refresh(client, tokens.refresh_token)


@pytest.mark.parametrize(
    "end",
    [
        "UPDATE users SET disabled = true WHERE id = $1",
        "UPDATE users SET epoch = epoch + 1 WHERE id = $1",
        "UPDATE user_sessions SET revoked_at = now() WHERE user_id = $1",
        "UPDATE user_sessions SET expires_at = now() WHERE user_id = $1",
    ],
)
async def test_what_ends_the_user_ends_the_grant(shared: World, end: str) -> None:
    """Trap: a user who is disabled after they approved gets no tokens. The grant is used up."""
    client, ann = await shared.client(), await shared.person()
    content = await approved(shared, client, ann)
    await shared.owner.execute(end, ann.user_id)
    with pytest.raises(InvalidGrant):
        await redeem(shared, client, content)

    assert not await shared.owner.fetchval(
        "SELECT count(*) FROM token_families WHERE id = $1", content.id
    )
    assert not await shared.owner.fetchval(
        "SELECT count(*) FROM refresh_tokens WHERE family_id = $1", content.id
    )


async def test_a_revocation_ends_the_grant(shared: World) -> None:
    """A user who takes their consent back after they approved a request ends the request."""
    client, ann = await shared.client(first_party=False), await shared.person()
    content = await approved(shared, client, ann)
    await shared.owner.execute(
        "INSERT INTO consents (app_id, user_id, client_id) VALUES ($1, $2, $3)",
        shared.app_id,
        ann.user_id,
        client.client_id,
    )
    await shared.admin(RevokeUserGrant(user_id=ann.user_id, client_id=client.client_id))
    with pytest.raises(InvalidGrant):
        await redeem(shared, client, content)


async def test_a_disabled_client_ends_the_grant(shared: World) -> None:
    """Its epoch has changed, also when it is enabled again."""
    client, ann = await shared.client(), await shared.person()
    content = await approved(shared, client, ann, client_epoch=-1)
    with pytest.raises(InvalidGrant):
        await redeem(shared, client, content)


async def test_a_grant_keeps_its_binding_and_its_resources(shared: World) -> None:
    """Another key gets nothing, and neither does a resource that was not granted. Both leave the grant as
    it is."""
    client, ann = await shared.client(), await shared.person()
    key = {"jkt": "a" * 43}
    content = await approved(shared, client, ann, cnf=key)
    for cnf in (None, {"jkt": "b" * 43}):
        with pytest.raises((InvalidGrant, InvalidDpopProof)):
            await redeem(shared, client, content, cnf=cnf)
    with pytest.raises(InvalidTarget):
        await redeem(shared, client, content, cnf=key, resource="https://other.test")

    tokens = await redeem(shared, client, content, cnf=key)
    assert (await shared.claims(tokens.access_token))["cnf"] == key


async def test_a_family_without_a_session_outlives_sessions(shared: World) -> None:
    """A grant that no browser stands for has no session to end with."""
    client, ann = await shared.client(), await shared.person()
    content = await approved(shared, client, ann, session_id=None)
    tokens = await redeem(shared, client, content)
    await shared.owner.execute(
        "UPDATE user_sessions SET revoked_at = now() WHERE user_id = $1", ann.user_id
    )

    assert (await shared.call(CheckAccessToken(token=tokens.access_token))).session_id is None
    assert "sid" not in await shared.claims(tokens.access_token)
