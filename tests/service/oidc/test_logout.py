"""Logout: RP-Initiated 1.0, Back-Channel 1.0, Front-Channel 1.0."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jwt
import pytest
import pytest_asyncio
from tests.kit.certificates import certified
from tests.kit.factories import CALLBACK, Person
from tests.kit.nats_server import until
from tests.kit.oauth import ORIGIN, fields
from tests.kit.postgres import Postgres
from tests.kit.world import World
from tests.service.oidc.conftest import fresh_world

from common.contracts.authorization import Authorize
from common.contracts.clients import (
    Client,
    DeleteClient,
    GetClient,
    NewClient,
    UpdateClient,
)
from common.contracts.logout import LoggedOut, LogOut, LogoutFailure
from common.contracts.oauth_errors import InvalidGrant
from common.outgoing_http import OutgoingHttp
from common.sweeps import sweep
from identity.queries.sweeps import EXPIRED as IDENTITY_EXPIRED
from oidc import backchannel_delivery, logout_notification, session_end_listener
from oidc.queries.sweeps import EXPIRED

OUT = "https://rp.example.com/out"
CUSTOM = "https://login.acme.test"


class Listener:
    """A relying party's back-channel endpoint."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.heads: list[str] = []
        self.fields: list[dict[str, str]] = []
        self.status = 200
        self.delay = 0.0
        self.requests = 0

    async def start(self) -> str:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}/backchannel"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.requests += 1
        length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
        body = (await reader.readexactly(length)).decode()
        await asyncio.sleep(self.delay)
        self.heads.append(head)
        self.fields.append(dict(parse_qsl(body)))
        self.received.append(self.fields[-1]["logout_token"])
        writer.write(f"HTTP/1.1 {self.status} X\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@pytest_asyncio.fixture
async def world(postgres: Postgres) -> AsyncIterator[World]:
    async with fresh_world(postgres, egress_private=True) as world:
        yield world


@pytest_asyncio.fixture
async def listener() -> AsyncIterator[Listener]:
    made = Listener()
    made.uri = await made.start()  # type: ignore[attr-defined]
    yield made
    made.server.close()


async def rp(world: World, **fields: Any) -> NewClient:
    return await world.client(post_logout_redirect_uris=[OUT], **fields)


async def end(world: World, person: Person | None, **params: Any) -> LoggedOut:
    more = {name: params.pop(name) for name in ("confirmed", "request") if name in params}
    given = [(name, value) for name, value in params.items() if value is not None]
    session = person.session if person else None
    answer = await world.call(LogOut(params=given, session=session, **more))
    assert isinstance(answer, LoggedOut)
    return answer


async def test_with_a_hint_the_person_is_sent_back(world: World) -> None:
    """The user is redirected at once with `state`, and the online grant is revoked."""
    client, ann = await rp(world), await world.person()
    tokens = await world.tokens(client, ann)
    ended = await end(
        world, ann, id_token_hint=tokens.id_token, post_logout_redirect_uri=OUT, state="a b&"
    )

    assert (ended.kind, ended.session_id) == ("redirect", ann.session.session_id)
    assert ended.location == f"{OUT}?state=a%20b%26"
    with pytest.raises(InvalidGrant):
        await world.refresh(client, tokens.refresh_token)


async def test_without_a_hint_the_person_is_asked(world: World) -> None:
    """Only the session that was asked may answer."""
    ann, bob = await world.person(), await world.person()
    client = await rp(world)
    asked = await end(world, ann, client_id=client.client_id, post_logout_redirect_uri=OUT)
    assert (asked.kind, asked.client_name, asked.session_id) == ("confirm", "RP", None)
    stranger = await end(world, bob, request=asked.request, confirmed=True)
    assert stranger.kind == "error"

    done = await end(world, ann, request=asked.request, confirmed=True)
    assert (done.kind, done.location) == ("redirect", OUT)


async def test_a_hint_for_somebody_else_asks(world: World) -> None:
    """A link with another user's hint signs nobody out."""
    client, ann, bob = await rp(world), await world.person(), await world.person()
    hint = (await world.tokens(client, ann)).id_token

    assert (await end(world, bob, id_token_hint=hint)).kind == "confirm"


async def test_a_hint_that_cannot_be_verified_asks(world: World) -> None:
    """Its key may have been retired. The user is asked, and returns if `client_id` names the
    client."""
    client, ann = await rp(world), await world.person()
    params = {"id_token_hint": "e30.e30.e30", "post_logout_redirect_uri": OUT}
    asked = await end(world, ann, client_id=client.client_id, **params)
    assert (asked.kind, asked.session_id) == ("confirm", None)
    done = await end(world, ann, request=asked.request, confirmed=True)
    assert (done.kind, done.location) == ("redirect", OUT)

    unnamed = await end(world, ann, **params)
    done = await end(world, ann, request=unnamed.request, confirmed=True)
    assert (done.kind, done.location) == ("done", None)


@pytest.mark.parametrize(
    "params",
    [
        {"post_logout_redirect_uri": "https://evil.test/"},
        {"post_logout_redirect_uri": OUT + "?a=1"},
        {"post_logout_redirect_uri": CALLBACK},
        {"client_id": "client_other"},
    ],
)
async def test_what_is_not_registered_is_an_error(world: World, params: dict[str, str]) -> None:
    """The comparison is exact, and nobody is signed out."""
    client, ann = await rp(world), await world.person()
    hint = (await world.tokens(client, ann)).id_token
    ended = await end(world, ann, id_token_hint=hint, **params)

    assert (ended.kind, ended.location, ended.session_id) == ("error", None, None)


async def test_an_address_without_client_is_not_gone_to(world: World) -> None:
    """Without a hint the user is asked and signed out, but not redirected."""
    ann = await world.person()
    await rp(world)
    asked = await end(world, ann, post_logout_redirect_uri=OUT, state="s")
    assert asked.kind == "confirm"

    done = await end(world, ann, request=asked.request, confirmed=True)
    assert (done.kind, done.location) == ("done", None)


async def test_a_changed_question_is_refused(world: World) -> None:
    """The MAC covers where the answer leads."""
    asked = await end(world, await world.person())
    assert asked.request is not None
    body, mac = asked.request.split(".")

    for forged in (f"{body}x.{mac}", f"{body}.{mac[:-2]}AA", body, ""):
        answer = await end(world, None, request=forged, confirmed=True)
        assert answer.kind == "error"


async def test_a_logout_token_reaches_the_client(world: World, listener: Any) -> None:
    """It has typ, events, sub and sid, no nonce, and two minutes. It arrives before the browser is
    redirected."""
    client, ann = await rp(world, backchannel_logout_uri=listener.uri), await world.person()
    tokens = await world.tokens(client, ann)
    id_token = await world.claims(tokens.id_token, client.client_id)
    worker = asyncio.create_task(
        world.oidc.deliveries.run(lambda: backchannel_delivery.work(world.oidc), name="test")
    )
    await end(world, ann, id_token_hint=tokens.id_token)
    assert len(listener.received) == 1

    async def none_waits() -> bool:
        return not await world.owner.fetchval("SELECT count(*) FROM logout_deliveries")

    await until(none_waits)
    worker.cancel()

    (token,) = listener.received
    assert jwt.get_unverified_header(token)["typ"] == "logout+jwt"
    claims = await world.claims(token, client.client_id)
    assert (claims["sub"], claims["sid"]) == (ann.user_id, id_token["sid"])
    assert claims["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
    assert "nonce" not in claims
    assert claims["exp"] - claims["iat"] <= 120


async def test_every_client_of_the_session_hears_of_it(world: World, listener: Any) -> None:
    """Each client is told once, with its own `sid`."""
    clients = [await rp(world, backchannel_logout_uri=listener.uri) for _ in range(3)]
    ann = await world.person()
    for client in clients:
        await world.tokens(client, ann)
    await world.owner.execute("UPDATE user_sessions SET revoked_at = now()")
    for _ in range(2):
        for ended in await session_end_listener.find_ended(
            world.oidc, world.app_id, "user", ann.user_id, home=world.home
        ):
            await logout_notification.notify_clients(world.oidc, world.ctx(), ended)
    await backchannel_delivery.deliver_due(world.oidc)
    await backchannel_delivery.deliver_due(world.oidc)

    told = [jwt.decode(token, options={"verify_signature": False}) for token in listener.received]
    assert sorted(one["aud"] for one in told) == sorted(client.client_id for client in clients)
    assert len({one["sid"] for one in told}) == 3


async def told(world: World, listener: Any) -> list[dict[str, Any]]:
    """Returns the claims of the tokens that were delivered so far, in the order of clients."""
    await backchannel_delivery.deliver_due(world.oidc)
    claims = [jwt.decode(token, options={"verify_signature": False}) for token in listener.received]
    return sorted(claims, key=lambda one: str(one["aud"]))


async def test_each_client_hears_from_its_own_issuer(world: World, listener: Any) -> None:
    """Every host of the application is an issuer. The token names the one that the client signed in
    by. A client that used two gets two tokens."""
    one, two = [await rp(world, backchannel_logout_uri=listener.uri) for _ in range(2)]
    front = await rp(world, frontchannel_logout_uri=OUT)
    ann = await world.person()
    for client, origin in ((one, CUSTOM), (front, CUSTOM), (two, CUSTOM), (two, ORIGIN)):
        params = list(world.request(client).items())
        answer = await world.call(Authorize(params=params, session=ann.session), origin=origin)
        assert await world.redeem(client, fields(answer)["code"], ctx=world.ctx(origin=origin))
    wished = LogOut(params=[], session=ann.session)
    asked = await world.bus.call(world.ctx(), wished)
    wished = LogOut(params=[], session=ann.session, request=asked.request, confirmed=True)
    done = await world.bus.call(world.ctx(), wished)

    (address,) = done.frontchannel
    assert parse_qs(urlsplit(address).query)["iss"] == [CUSTOM]
    found = {(claims["aud"], claims["iss"]) for claims in await told(world, listener)}
    assert found == {(one.client_id, CUSTOM), (two.client_id, CUSTOM), (two.client_id, ORIGIN)}
    assert len(listener.received) == 3


async def test_a_row_from_before_issuers_were_kept(world: World, listener: Any) -> None:
    """A row of an older replica gets the application's main origin."""
    client, ann = await rp(world, backchannel_logout_uri=listener.uri), await world.person()
    await world.tokens(client, ann)
    await world.owner.execute("UPDATE session_clients SET issuer = '', subject = NULL")
    await logout_notification.notify_clients(world.oidc, world.ctx(), ann.session.session_id)

    (claims,) = await told(world, listener)
    assert (claims["iss"], claims["sub"]) == (ORIGIN, ann.user_id)


@pytest.mark.parametrize("heard", [True, False], ids=["by the message", "by the sweep"])
async def test_a_deleted_user_is_told_of(world: World, listener: Any, heard: bool) -> None:
    """No data of the user is left. Each of their clients is told once, by its own `sub`, even if
    nobody listened. Clients of other users are not told."""
    one = await rp(world, backchannel_logout_uri=listener.uri)
    two = await rp(world, backchannel_logout_uri=listener.uri, subject_type="pairwise")
    ann, bob = await world.person(), await world.person()
    tokens = [await world.tokens(client, ann) for client in (one, two)]
    await world.tokens(one, bob)
    ids = [
        await world.claims(had.id_token, client.client_id)
        for had, client in zip(tokens, (one, two), strict=True)
    ]
    async with world.owner.transaction():
        await world.owner.execute("UPDATE user_sessions SET revoked_at = now() WHERE user_id = $1",
                                  ann.user_id)  # fmt: skip
        await world.owner.execute("DELETE FROM users WHERE id = $1", ann.user_id)
    for deps in (world.oidc, world.replica.oidc):
        if heard:
            for session_id in await session_end_listener.find_ended(
                deps, world.app_id, "user", ann.user_id, home=world.home
            ):
                await logout_notification.notify_clients(deps, world.ctx(), session_id)
        else:
            await session_end_listener.notify_missed(deps)

    found = {(c["aud"], c["sub"], c["sid"], c["iss"]) for c in await told(world, listener)}
    assert found == {(c["aud"], c["sub"], c["sid"], ORIGIN) for c in ids}
    assert len(listener.received) == 2
    assert ids[1]["sub"] != ann.user_id
    assert await world.owner.fetchval("SELECT count(*) FROM session_clients") == 1


async def test_a_search_goes_back_to_the_last_complete_one(
    world: World, listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first search goes back a day. Later ones go back to the last complete search."""
    seen: list[float] = []
    notify_clients = logout_notification.notify_clients
    notify_missed = session_end_listener.notify_missed

    async def failing(deps: Any, ctx: Any, session_id: str) -> list[str]:
        raise OSError("the database is away")

    async def recorded(deps: Any, within: float) -> bool:
        seen.append(within)
        return await notify_missed(deps, within)

    monkeypatch.setattr(session_end_listener, "notify_missed", recorded)
    monkeypatch.setattr(logout_notification, "notify_clients", failing)
    client, ann = await rp(world, backchannel_logout_uri=listener.uri), await world.person()
    await world.tokens(client, ann)
    await world.owner.execute("UPDATE user_sessions SET revoked_at = now() - interval '2 hours'")
    listening = session_end_listener.SessionEndListener(world.oidc)
    await listening.search()
    monkeypatch.setattr(logout_notification, "notify_clients", notify_clients)
    for _ in range(3):
        await listening.search()

    assert seen[:2] == [session_end_listener.WHOLE, session_end_listener.WHOLE]
    assert all(
        session_end_listener.OVERLAP <= within < session_end_listener.OVERLAP + 60
        for within in seen[2:]
    )
    assert len(await told(world, listener)) == 1


async def test_a_missed_end_wakes_the_deliveries(world: World, listener: Any) -> None:
    """A token that the search queues goes out at once, in the cluster of its application. A search that
    finds nothing wakes nobody."""
    client, ann = await rp(world, backchannel_logout_uri=listener.uri), await world.person()
    await world.tokens(client, ann)
    await session_end_listener.notify_missed(world.oidc)
    before = world.oidc.deliveries._woken.is_set()
    await world.owner.execute("UPDATE user_sessions SET revoked_at = now() - interval '1 minute'")
    await session_end_listener.notify_missed(world.oidc)

    assert (before, world.oidc.deliveries._woken.is_set()) == (False, True)


async def test_a_deletion_that_fails_is_not_told_of(world: World, listener: Any) -> None:
    """The transaction that deletes the user marks the rows itself."""
    client, ann = await rp(world, backchannel_logout_uri=listener.uri), await world.person()
    await world.tokens(client, ann)
    transaction = world.home_owner.transaction()
    await transaction.start()
    await world.home_owner.execute("DELETE FROM users WHERE id = $1", ann.user_id)
    await session_end_listener.notify_missed(world.oidc)
    await transaction.rollback()
    await session_end_listener.notify_missed(world.oidc)

    assert await told(world, listener) == []


async def test_a_deleted_client_is_not_told_any_more(world: World, listener: Any) -> None:
    """Its queued deliveries are deleted too."""
    client, ann = await rp(world, backchannel_logout_uri=listener.uri), await world.person()
    await world.tokens(client, ann)
    other = await world.person()
    await world.tokens(client, other)
    await logout_notification.notify_clients(world.oidc, world.ctx(), other.session.session_id)
    await world.admin(DeleteClient(client=client.client_id))
    await logout_notification.notify_clients(world.oidc, world.ctx(), ann.session.session_id)

    assert await told(world, listener) == []
    assert await world.owner.fetchval("SELECT count(*) FROM logout_deliveries") == 0


async def test_a_session_taken_away_as_old_is_no_logout(world: World, listener: Any) -> None:
    """The row is deleted once the session has expired."""
    client, ann = await rp(world, backchannel_logout_uri=listener.uri), await world.person()
    await world.tokens(client, ann)
    await world.owner.execute("DELETE FROM user_sessions")
    await session_end_listener.notify_missed(world.oidc)
    await sweep(world.sweep_db, EXPIRED)
    assert await world.owner.fetchval("SELECT count(*) FROM session_clients") == 1
    await world.owner.execute("UPDATE session_clients SET expires_at = now() - interval '3 days'")
    await sweep(world.sweep_db, EXPIRED)

    assert await told(world, listener) == []
    assert await world.owner.fetchval("SELECT count(*) FROM session_clients") == 0


@pytest.mark.parametrize("how", ["signing out", "the message", "the sweep"])
async def test_clients_follow_a_session_to_its_end(world: World, listener: Any, how: str) -> None:
    """A client signed in before the session got a new id twice. It is told when the last one ends,
    by the `sid` that it knows."""
    client, ann = await rp(world, backchannel_logout_uri=listener.uri), await world.person()
    sid = (await world.claims((await world.tokens(client, ann)).id_token, client.client_id))["sid"]
    last = (await replaced(world, await replaced(world, ann))).session.session_id
    assert (
        await session_end_listener.find_ended(
            world.oidc, world.app_id, "user", ann.user_id, home=world.home
        )
        == []
    )
    if how == "signing out":
        await logout_notification.notify_clients(world.oidc, world.ctx(), last)
    ended = "UPDATE user_sessions SET revoked_at = now() - interval '1 minute' WHERE id = $1"
    await world.owner.execute(ended, last)
    if how == "the message":
        for session_id in await session_end_listener.find_ended(
            world.oidc, world.app_id, "session", last, home=world.home
        ):
            await logout_notification.notify_clients(world.oidc, world.ctx(), session_id)
    await session_end_listener.notify_missed(world.oidc)

    (claims,) = await told(world, listener)
    assert (claims["sid"], claims["sub"]) == (sid, ann.user_id)


@pytest.mark.parametrize("how", ["signing out", "the message", "the sweep"])
async def test_the_line_lasts_as_long_as_the_session(world: World, listener: Any, how: str) -> None:
    """A client that signed in forty days and two ids ago is told when the session ends. Then its
    rows are deleted."""
    client, ann = await rp(world, backchannel_logout_uri=listener.uri), await world.person()
    sid = (await world.claims((await world.tokens(client, ann)).id_token, client.client_id))["sid"]
    last = (await replaced(world, await replaced(world, ann))).session.session_id
    await world.owner.execute(
        "UPDATE user_sessions SET expires_at = now() - interval '40 days',"
        " revoked_at = now() - interval '40 days' WHERE revoked_at IS NOT NULL"
    )
    await world.owner.execute("UPDATE session_clients SET expires_at = now() - interval '40 days'")
    for _ in range(3):
        await swept(world)

    if how == "signing out":
        await logout_notification.notify_clients(world.oidc, world.ctx(), last)
    ended = "UPDATE user_sessions SET revoked_at = now() - interval '1 minute' WHERE id = $1"
    await world.owner.execute(ended, last)
    if how == "the message":
        for session_id in await session_end_listener.find_ended(
            world.oidc, world.app_id, "session", last, home=world.home
        ):
            await logout_notification.notify_clients(world.oidc, world.ctx(), session_id)
    await session_end_listener.notify_missed(world.oidc)
    (claims,) = await told(world, listener)
    assert (claims["sid"], claims["sub"]) == (sid, ann.user_id)

    await world.owner.execute("UPDATE user_sessions SET revoked_at = now() - interval '31 days'")
    for _ in range(3):
        await swept(world)
    assert await world.owner.fetchval("SELECT count(*) FROM user_sessions") == 0


async def test_the_clients_of_a_line_that_is_over_are_forgotten(world: World) -> None:
    """The rows are deleted two days after the last session expired, told or not."""
    client, ann = await rp(world), await world.person()
    await world.tokens(client, ann)
    await replaced(world, ann)
    old = "expires_at = now() - interval '3 days'"
    await world.owner.execute(f"UPDATE session_clients SET {old}")
    await swept(world)
    assert await world.owner.fetchval("SELECT count(*) FROM session_clients") == 1

    await world.owner.execute(f"UPDATE user_sessions SET {old}")
    await swept(world)
    assert await world.owner.fetchval("SELECT count(*) FROM session_clients") == 0


async def swept(world: World) -> None:
    """Runs the sweeps of both services with the database role of that job."""
    await sweep(world.sweep_db, EXPIRED)
    sessions = {"user_sessions": IDENTITY_EXPIRED["user_sessions"]}
    assert (await sweep(world.sweep_db, sessions)).keys() == sessions.keys()


async def replaced(world: World, person: Person) -> Person:
    """Returns the same user under a new session id."""
    after = await world.session(person.user_id)
    await world.owner.execute(
        "UPDATE user_sessions SET previous_id = $2 WHERE id = $1",
        after.session_id,
        person.session.session_id,
    )
    await world.owner.execute(
        "UPDATE user_sessions SET revoked_at = now() WHERE id = $1", person.session.session_id
    )
    return Person(person.user_id, after)


async def test_an_ended_session_is_found_by_the_sweep(world: World, listener: Any) -> None:
    """Even if nobody listened when it ended."""
    client, ann = await rp(world, backchannel_logout_uri=listener.uri), await world.person()
    await world.tokens(client, ann)
    await world.owner.execute("UPDATE user_sessions SET revoked_at = now() - interval '1 minute'")
    await session_end_listener.notify_missed(world.oidc)
    await backchannel_delivery.deliver_due(world.oidc)

    assert len(listener.received) == 1


async def test_a_replaced_session_is_no_logout(world: World, listener: Any) -> None:
    """A new session id keeps the person signed in everywhere."""
    client, ann = await rp(world, backchannel_logout_uri=listener.uri), await world.person()
    await world.tokens(client, ann)
    successor = await world.session(ann.user_id)
    await world.owner.execute(
        "UPDATE user_sessions SET previous_id = $2 WHERE id = $1",
        successor.session_id,
        ann.session.session_id,
    )
    await world.owner.execute(
        "UPDATE user_sessions SET revoked_at = now() - interval '1 minute' WHERE id = $1",
        ann.session.session_id,
    )
    assert (
        await session_end_listener.find_ended(
            world.oidc, world.app_id, "session", ann.session.session_id, home=world.home
        )
        == []
    )
    await session_end_listener.notify_missed(world.oidc)

    assert await world.owner.fetchval("SELECT count(*) FROM logout_deliveries") == 0


@pytest.mark.fault("F30")
async def test_a_failing_client_is_tried_again_and_given_up(world: World, listener: Any) -> None:
    """The number of attempts is limited."""
    listener.status = 500
    client, ann = await rp(world, backchannel_logout_uri=listener.uri), await world.person()
    tokens = await world.tokens(client, ann)
    await end(world, ann, id_token_hint=tokens.id_token)
    for _ in range(10):
        await world.owner.execute("UPDATE logout_deliveries SET next_attempt_at = now()")
        await backchannel_delivery.deliver_due(world.oidc)

    assert listener.requests == backchannel_delivery.ATTEMPTS
    assert await world.owner.fetchval("SELECT count(*) FROM logout_deliveries") == 0


@pytest.mark.long
@pytest.mark.fault("F30")
async def test_deliveries_that_failed_together_come_back_apart(world: World, listener: Any) -> None:
    """A receiver that is down for a moment is not called by all at once afterwards: the next attempts are spread,
    and their distance grows with each one."""
    listener.status, ann = 503, await world.person()
    for _ in range(backchannel_delivery.BATCH):
        await world.tokens(await rp(world, backchannel_logout_uri=listener.uri), ann)
    await world.owner.execute("UPDATE user_sessions SET revoked_at = now()")
    for ended in await session_end_listener.find_ended(
        world.oidc, world.app_id, "user", ann.user_id, home=world.home
    ):
        await logout_notification.notify_clients(world.oidc, world.ctx(), ended)
    waits = []
    for _ in range(3):
        await world.owner.execute("UPDATE logout_deliveries SET next_attempt_at = now()")
        before = await world.owner.fetchval("SELECT clock_timestamp()")
        assert await backchannel_delivery.deliver_due(world.oidc) == backchannel_delivery.BATCH
        rows = await world.owner.fetch("SELECT next_attempt_at FROM logout_deliveries")
        waits.append([(row["next_attempt_at"] - before).total_seconds() for row in rows])

    assert all(len(set(each)) == backchannel_delivery.BATCH for each in waits)
    assert all(max(each) - min(each) > min(each) * 0.1 for each in waits)
    assert max(waits[0]) < min(waits[1])
    assert max(waits[1]) < min(waits[2])


@pytest.mark.long
@pytest.mark.fault("F19", "F30")
async def test_workers_at_once_tell_each_client_once(world: World, listener: Any) -> None:
    """Several workers share the queue. None sends what another one sends."""
    ann, clients = await world.person(), []
    for _ in range(12):
        clients.append(await rp(world, backchannel_logout_uri=listener.uri))
        await world.tokens(clients[-1], ann)
    await world.owner.execute("UPDATE user_sessions SET revoked_at = now()")
    for ended in await session_end_listener.find_ended(
        world.oidc, world.app_id, "user", ann.user_id, home=world.home
    ):
        await logout_notification.notify_clients(world.oidc, world.ctx(), ended)
    await asyncio.gather(*(backchannel_delivery.deliver_due(world.oidc) for _ in range(4)))

    assert [claims["aud"] for claims in await told(world, listener)] == sorted(
        client.client_id for client in clients
    )


async def test_the_log_says_why_a_delivery_failed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry has the host, the fault of its certificate, the attempt and the time of the next
    one."""
    lines: list[dict[str, Any]] = []
    log = SimpleNamespace(info=lambda event, **fields: lines.append({"event": event} | fields))
    monkeypatch.setattr(backchannel_delivery, "log", log)
    _, tls = certified(tmp_path)
    ann = await world.person()
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=tls) as server:
        uri = f"https://localhost:{server.sockets[0].getsockname()[1]}/out"
        client = await rp(world, backchannel_logout_uri=uri)
        tokens = await world.tokens(client, ann)
        await end(world, ann, id_token_hint=tokens.id_token)
        for _ in range(backchannel_delivery.ATTEMPTS):
            await world.owner.execute("UPDATE logout_deliveries SET next_attempt_at = now()")
            await backchannel_delivery.deliver_due(world.oidc)

        failure = await failure_of(world, client)

    assert [line["attempt"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert {line["host"] for line in lines} == {"localhost"}
    assert {line["client"] for line in lines} == {client.client_id}
    assert all("CERTIFICATE_VERIFY_FAILED" in line["why"] for line in lines)
    moments = [line["next_attempt"] for line in lines]
    assert all(datetime.fromisoformat(moment) > datetime.now(UTC) for moment in moments[:-1])
    assert moments[-1] is None
    assert failure is not None
    assert (failure.attempt, failure.max_attempts, failure.next_attempt_at) == (6, 6, None)
    assert failure.error == lines[-1]["why"]
    assert failure.error.startswith("localhost: ")


async def failure_of(world: World, client: NewClient) -> LogoutFailure | None:
    """Returns what the client's developer sees."""
    found = await world.admin(GetClient(client=client.client_id))
    assert isinstance(found, Client)
    return found.backchannel_logout_failure


async def test_the_client_shows_a_failed_delivery_until_one_arrives(
    world: World, listener: Any
) -> None:
    """Deliveries to other clients do not change it. A change of the client does only if it names
    another address."""
    listener.status = 500
    client, ann = await rp(world, backchannel_logout_uri=listener.uri), await world.person()
    other = await rp(world, backchannel_logout_uri=listener.uri)
    assert await failure_of(world, client) is None
    tokens = await world.tokens(client, ann)
    await end(world, ann, id_token_hint=tokens.id_token)
    await backchannel_delivery.deliver_due(world.oidc)

    failure = await failure_of(world, client)
    assert failure is not None
    assert (failure.error, failure.attempt) == ("status 500", 1)
    assert failure.next_attempt_at is not None
    assert failure.next_attempt_at > failure.failed_at
    assert await failure_of(world, other) is None

    changes = {"name": "Renamed"}
    changed = await world.admin(UpdateClient(client=client.client_id, changes=changes))
    assert changed.backchannel_logout_failure == failure
    listener.status = 200
    await world.owner.execute("UPDATE logout_deliveries SET next_attempt_at = now()")
    await backchannel_delivery.deliver_due(world.oidc)
    assert await failure_of(world, client) is None


async def test_another_address_forgets_the_failure(world: World, listener: Any) -> None:
    listener.status = 500
    client, ann = await rp(world, backchannel_logout_uri=listener.uri), await world.person()
    tokens = await world.tokens(client, ann)
    await end(world, ann, id_token_hint=tokens.id_token)
    await backchannel_delivery.deliver_due(world.oidc)
    changes = {"backchannel_logout_uri": listener.uri + "?new=1"}
    await world.admin(UpdateClient(client=client.client_id, changes=changes))

    assert await failure_of(world, client) is None


@pytest.mark.fault("F30")
async def test_a_slow_client_does_not_hold_the_person_up(world: World, listener: Any) -> None:
    """The browser goes on after a second. The delivery goes on alone."""
    listener.delay = 20
    client, ann = await rp(world, backchannel_logout_uri=listener.uri), await world.person()
    tokens = await world.tokens(client, ann)
    worker = asyncio.create_task(
        world.oidc.deliveries.run(lambda: backchannel_delivery.work(world.oidc), name="test")
    )
    before = time.monotonic()
    await end(world, ann, id_token_hint=tokens.id_token)
    took = time.monotonic() - before
    worker.cancel()

    assert took < 15


POISON = [
    "https://rp.example.com:99999/out",
    "https://[::1/out",
    "https://" + "a" * 70 + ".example/out",
    "file:///etc/passwd",
    "nonsense",
    "",
]


@pytest.mark.fault("F30")
async def test_one_clients_address_does_not_hold_up_the_others(world: World, listener: Any) -> None:
    """The worker serves every application, so it goes on."""
    ann = await world.person()
    for uri in POISON:
        client = await rp(world, backchannel_logout_uri="https://rp.example.com/out")
        await world.owner.execute(
            "UPDATE oauth_clients SET backchannel_logout_uri = $1 WHERE client_id = $2",
            uri,
            client.client_id,
        )
        world.oidc.caches.clear()
        await world.tokens(client, ann)
    good = await rp(world, backchannel_logout_uri=listener.uri)
    tokens = await world.tokens(good, ann)
    await end(world, ann, id_token_hint=tokens.id_token)
    while await backchannel_delivery.deliver_due(world.oidc):
        pass

    assert [claims["aud"] for claims in await told(world, listener)] == [good.client_id]


@pytest.mark.fault("F30")
async def test_an_unexpected_error_fails_one_delivery(
    world: World, listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected error fails one delivery and not the others."""
    client, ann = await rp(world, backchannel_logout_uri=listener.uri), await world.person()
    tokens = await world.tokens(client, ann)

    async def fall(*_: Any, **__: Any) -> None:
        raise RuntimeError("unforeseen")

    with monkeypatch.context() as patch:
        patch.setattr(OutgoingHttp, "request", fall)
        await end(world, ann, id_token_hint=tokens.id_token)
        assert await backchannel_delivery.deliver_due(world.oidc) == 1
    await world.owner.execute("UPDATE logout_deliveries SET next_attempt_at = now()")
    await backchannel_delivery.deliver_due(world.oidc)

    assert len(listener.received) == 1


async def test_private_addresses_are_not_called(world: World, listener: Any) -> None:
    """They are called only if the deployment allows it, for development."""
    settings = world.oidc.settings.model_copy(update={"egress_private": False})
    strict = replace(world.oidc, settings=settings)
    client, ann = await rp(world, backchannel_logout_uri=listener.uri), await world.person()
    tokens = await world.tokens(client, ann)
    await end(world, ann, id_token_hint=tokens.id_token)
    await backchannel_delivery.deliver_due(strict)

    assert listener.requests == 0
