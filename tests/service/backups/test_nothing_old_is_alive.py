"""Everything issued before a restore is dead after it, however it was issued (keycloak/keycloak#31296)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.kit.callers import ADMIN, now
from tests.kit.factories import Person
from tests.kit.oauth import ORIGIN
from tests.kit.postgres import Postgres
from tests.kit.world import MASTER_KEY, World
from tests.service.backups.conftest import PASSPHRASE, Said, restore

from aero2.backups.backup import Backup
from common.context import SYSTEM_CALLER, Caller
from common.contracts.base import Request
from common.contracts.clients import NewClient
from common.contracts.email_codes import SignInWithLink, StartEmailCode
from common.contracts.invitations import AcceptInvitation, InviteUser, ListInvitations
from common.contracts.keys import EnsureKeys, GetJwks
from common.contracts.oauth_errors import InvalidGrant, InvalidToken
from common.contracts.profiles import User
from common.contracts.sessions import RevokeAllSessions
from common.contracts.tokens import CheckAccessToken, Tokens
from common.problems import Problem

pytestmark = pytest.mark.timeout(200)
SCOPE = "openid offline_access"


@asynccontextmanager
async def world_on(dsns: dict[str, str], app_id: str = "") -> AsyncIterator[World]:
    """Starts identity and oidc on a database, with their caches empty."""
    world = await World.start(
        dsns,
        *("identity", "oidc"),
        stand_ins=("rbac", "tenancy"),
        host=ORIGIN.removeprefix("https://"),
        request_facts={"origin": ORIGIN, "ip": "192.0.2.1", "within": 10},
    )
    try:
        world.app_id = app_id or await world.application()
        yield world
    finally:
        await world.close()


@dataclass
class Issued:
    """One credential of each kind."""

    clients: list[NewClient]
    """Of JWTs, of opaque tokens, and a service."""
    tokens: list[Tokens]
    code: str
    session: str
    link: tuple[str, str]
    invitation: str

    @classmethod
    async def by(
        cls, world: World, clients: list[NewClient], user: User, person: Person, name: str
    ) -> Issued:
        tokens = [await world.tokens(each, person, scope=SCOPE) for each in clients[:2]]
        tokens.append(await world.token(clients[2], grant_type="client_credentials"))
        flow = await world.call(StartEmailCode(email=f"{name}@example.com"))
        link = (await world.mail()).token, flow.browser
        await world.call(InviteUser(email=f"{name}-invited@example.com"), ADMIN)
        return cls(
            clients,
            tokens,
            await world.code(clients[0], person, scope=SCOPE),
            (await world.sign_in(user)).token,
            link,
            (await world.mail()).token,
        )

    async def alive(self, world: World) -> list[str]:
        """Returns what is still accepted."""
        found = [] if await world.live_session(self.session) is None else ["session"]
        for client, tokens in zip(self.clients, self.tokens, strict=True):
            try:
                await world.call(CheckAccessToken(token=tokens.access_token))
                found.append(f"access token of {client.name}")
            except InvalidToken:
                pass
            if tokens.refresh_token is None:
                continue
            try:
                await world.refresh(client, tokens.refresh_token)
                found.append(f"refresh token of {client.name}")
            except InvalidGrant:
                pass
        try:
            await world.redeem(self.clients[0], self.code)
            found.append("code")
        except InvalidGrant:
            pass
        token, browser = self.link
        requests: dict[str, Request[Any]] = {
            "link": SignInWithLink(token=token, browser=browser),
            "invitation": AcceptInvitation(token=self.invitation),
        }
        for name, request in requests.items():
            try:
                await world.call(request)
                found.append(name)
            except Problem:
                pass
        return found


async def start(world: World) -> tuple[list[NewClient], User, Person]:
    await world.call(EnsureKeys(), SYSTEM_CALLER)
    clients = [
        await world.client(name="jwt", scopes=["openid", "offline_access"]),
        await world.client(
            name="opaque", access_token_format="opaque", scopes=["openid", "offline_access"]
        ),
        await world.client(name="service", type="service", redirect_uris=[], scopes=["reports"]),
    ]
    return clients, await world.user("ada@example.com"), await world.person()


async def backed_up(world: World, folder: Path) -> Path:
    work = Backup(world.dsns["owner"], folder / "monday", {}, PASSPHRASE)
    await work.run(Said())
    return folder / "monday"


@pytest.mark.fault("F32")
async def test_everything_issued_before_a_restore_is_dead(
    database: dict[str, str], empty: dict[str, str], tmp_path: Path
) -> None:
    """Issued before the backup or after it, revoked since or not. Users sign in again with what they
    know, programs with their secrets. No mail is sent twice, and invitations can be sent again."""
    async with world_on(database) as world:
        clients, user, person = await start(world)
        before = await Issued.by(world, clients, user, person, "before")
        control = await Issued.by(world, clients, user, person, "control")
        kids = [key["kid"] for key in (await world.call(GetJwks())).keys]
        backup = await backed_up(world, tmp_path)
        after = await Issued.by(world, clients, user, person, "after")
        ada = await world.live_session(before.session)
        assert ada is not None
        assert len(await control.alive(world)) == 9  # what is checked below is alive before it
        ada_herself = Caller("user", user.id, session_id=ada.id, proven_at=now())
        await world.call(RevokeAllSessions(), ada_herself)
        app_id = world.app_id

    ended = await restore(empty["owner"], backup, MASTER_KEY)
    async with world_on(empty, app_id) as world:
        assert await before.alive(world) == []
        assert await after.alive(world) == []
        assert await control.alive(world) == []
        assert ended["user_sessions"] >= 2
        waiting = "SELECT count(*) FROM mail_outbox WHERE failed_at IS NULL"
        assert await world.owner.fetchval(waiting) == 0
        assert ended["mail_outbox"] == 4
        listed = await world.call(ListInvitations(), ADMIN)
        assert {each.status for each in listed.invitations} == {"pending"}

        signed_in = await world.sign_in(user)
        assert await world.live_session(signed_in.token) is not None
        fresh = Person(person.user_id, await world.session(person.user_id))
        again = await Issued.by(world, clients, user, fresh, "again")
        assert len(await again.alive(world)) == 9
        assert [key["kid"] for key in (await world.call(GetJwks())).keys] == kids


@pytest.mark.fault("F32")
@pytest.mark.long
async def test_a_second_restore_of_the_same_backup_revives_nothing_of_the_first(
    postgres: Postgres, database: dict[str, str], tmp_path: Path
) -> None:
    """An epoch that was merely one higher than in the backup would be the same both times."""
    first, second = (postgres.dsns(postgres.create(name)) for name in ("first", "second"))
    async with world_on(database) as world:
        clients, user, person = await start(world)
        backup, app_id = await backed_up(world, tmp_path), world.app_id
    await restore(first["owner"], backup, MASTER_KEY)
    async with world_on(first, app_id) as world:
        fresh = Person(person.user_id, await world.session(person.user_id))
        between = await Issued.by(world, clients, user, fresh, "between")
        control = await Issued.by(world, clients, user, fresh, "control")
        assert len(await control.alive(world)) == 9
    await restore(second["owner"], backup, MASTER_KEY)
    async with world_on(second, app_id) as world:
        assert await between.alive(world) == []
    for name in ("first", "second"):
        postgres.drop(name)


@pytest.mark.long
async def test_keys_of_programs_end_if_asked_for(
    database: dict[str, str], empty: dict[str, str], tmp_path: Path
) -> None:
    """`--end-keys` ends secret API keys and client secrets. Publishable keys are no secret."""
    async with world_on(database) as world:
        await start(world)
        for kind in ("secret", "publishable"):
            await world.owner.execute(
                "INSERT INTO application_api_keys (id, app_id, key_type, key_prefix, key_hash) "
                "VALUES (gen_random_uuid(), $1, $2, 'x', $2)",
                world.app_id,
                kind,
            )
        backup, app_id = await backed_up(world, tmp_path), world.app_id
    ended = await restore(empty["owner"], backup, MASTER_KEY, end_keys=True)
    assert (ended["application_api_keys"], ended["oauth_client_secrets"]) == (1, 3)
    async with world_on(empty, app_id) as world:
        live = "SELECT array_agg(key_type) FROM application_api_keys WHERE revoked_at IS NULL"
        assert await world.owner.fetchval(live) == ["publishable"]
