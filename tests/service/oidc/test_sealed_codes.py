"""Codes that carry their content: nothing is stored before redemption, and nothing is lost by that.

`carried` codes answer a request at once. `stored` ones answer a request that waited for its user, and
keep a row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import pytest
from tests.kit.factories import Person
from tests.kit.homes import is_double
from tests.kit.nats_server import until
from tests.kit.oauth import fields
from tests.kit.round_trips import recorded_round_trips
from tests.kit.world import KEYS, MASTER_KEY, World

from common import sealing
from common.context import SYSTEM_CALLER, Caller
from common.contracts.clients import DeleteClient, NewClient, UpdateClient
from common.contracts.consents import RevokeClientGrants, RevokeMyGrant, RevokeUserGrant
from common.contracts.keys import EnsureKeys
from common.contracts.oauth_errors import (
    InvalidClient,
    InvalidDpopProof,
    InvalidGrant,
    InvalidToken,
)
from common.contracts.tokens import CheckAccessToken, Tokens
from common.crypto import Keys
from common.problems import Busy
from common.sealing import Sealer, data_key_place, unwrap, wrap
from common.sweeps import sweep
from oidc import code_content, grant_revocation
from oidc.code_content import CodeContent, OpenedCode
from oidc.handlers import HANDLERS
from oidc.queries import revoked_grants
from oidc.queries.sweeps import EXPIRED

KINDS = ("carried", "stored")
NEW_KEY = "k2:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
ROTATED = Keys.parse(f"{NEW_KEY},{MASTER_KEY}")
OFFLINE = "openid offline_access"


async def issued(world: World, client: NewClient, person: Person, kind: str, **params: Any) -> str:
    """Returns a code of this kind. The user of a third-party client consents."""
    if kind == "stored":
        params["prompt"] = "select_account"
    asked = await world.authorize(client, person, **params)
    if kind == "stored":
        asked = await world.resume(asked.request, person, selected=True)
    if asked.kind == "consent":
        asked = await world.resume(asked.request, person, consent="allow", selected=True)
        if kind == "carried":
            asked = await world.authorize(client, person, **params)
    return fields(asked)["code"]


async def opened(world: World, code: str) -> OpenedCode:
    reader = partial(world.oidc.db.reader, world.ctx())
    found = await code_content.open_code(world.sealer, reader, world.app_id, code)
    assert found is not None
    return found


async def content_of(world: World, code: str) -> CodeContent:
    content = (await opened(world, code)).content
    assert content is not None
    return content


async def sealed(world: World, content: CodeContent) -> str:
    """Returns a code with this content, as another replica may have issued it."""
    async with world.oidc.db.reader(world.ctx()) as db:
        code = await code_content.seal(world.sealer, db, world.app_id, content)
    assert code is not None
    return code


async def rows(world: World, person: Person) -> dict[str, int]:
    """Returns the number of the user's rows of everything that a code leads to."""
    tables = ("authorization_codes", "token_families", "refresh_tokens", "session_clients")
    return {
        table: await world.owner.fetchval(
            f"SELECT count(*) FROM {table} WHERE user_id = $1", person.user_id
        )
        for table in tables
    }


async def is_refused(world: World, client: NewClient, code: str, **params: Any) -> bool:
    try:
        await world.redeem(client, code, **params)
    except InvalidGrant:
        return True
    return False


@dataclass
class Work:
    """What the database was asked: statements that are a transaction each, and transactions."""

    made: list[str]

    @property
    def statements(self) -> list[str]:
        return [sql for sql in self.made if not sql.startswith("BEGIN")]

    @property
    def transactions(self) -> int:
        return len(self.made) - len(self.statements)

    @property
    def writes(self) -> list[str]:
        return [sql for sql in self.statements if not sql.lstrip().startswith("SELECT")]


@contextmanager
def counted() -> Iterator[Work]:
    """Counts round trips of single statements, and transactions, of all pools."""
    with recorded_round_trips() as made:
        yield Work(made)


async def test_nothing_is_stored_before_redemption(
    shared: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A code costs one statement that reads, and its redemption one that writes. The session's client
    is known from then on."""
    client, ann = await shared.client(), await shared.person()
    await shared.tokens(client, await shared.person())  # caches are warm
    with counted() as work:
        code = await shared.code(client, ann, scope=OFFLINE)
    assert (len(work.statements), work.writes, work.transactions) == (1, [], 0)
    assert set((await rows(shared, ann)).values()) == {0}

    with counted() as work:
        tokens = await shared.redeem(client, code)
    assert (len(work.statements), len(work.writes), work.transactions) == (1, 1, 0)
    assert await rows(shared, ann) == {
        "authorization_codes": 0,
        "token_families": 1,
        "refresh_tokens": 1,
        "session_clients": 1,
    }
    assert (await shared.refresh(client, tokens.refresh_token)).access_token


async def test_a_waiting_request_costs_one_statement_more(
    shared: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its code is stored together with the mark that the request is answered."""
    client, ann = await shared.client(), await shared.person()
    await shared.tokens(client, ann)  # the client's first use of the day is noted
    asked = await shared.authorize(client, ann, prompt="select_account")
    with counted() as work:
        code = fields(await shared.resume(asked.request, ann, selected=True))["code"]
    assert len(work.statements) == 3  # the request, the conditions, the code
    assert (await rows(shared, ann))["authorization_codes"] == 1

    with counted() as work:
        assert await shared.redeem(client, code)
    assert (len(work.statements), len(work.writes), work.transactions) == (2, 1, 0)


async def test_a_guess_costs_no_statement(shared: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text that is no code of ours is `invalid_grant`. The database is asked at most whether the
    application has other keys, twice a minute."""
    monkeypatch.setattr(sealing, "RELOAD", 3600.0)
    client, ann = await shared.client(), await shared.person()
    code = await shared.code(client, ann)
    changed = {"A": "B"}
    flipped = [
        code[:at] + changed.get(code[at], "A") + code[at + 1 :] for at in range(0, len(code), 5)
    ]
    cut = [code[:length] for length in range(1, len(code), 20)]
    other = ["ac_" + "A" * 43, "x" * 1_000_000, "ac_" + "A" * 1_000_000, "ac_é", "ac_+/="]
    with counted() as work:
        for text in [*flipped, *cut, *other, code + "A", code + "=", " " + code]:
            assert await is_refused(shared, client, text), text[:80]
    assert (work.statements, work.transactions) == ([], 0)

    assert await shared.redeem(client, code)  # which no guess has used up


@pytest.mark.parametrize("kind", KINDS)
async def test_a_replay_at_another_replica_ends_the_family(shared: World, kind: str) -> None:
    """Nothing but the database is shared."""
    client, ann = await shared.client(), await shared.person()
    code = await issued(shared, client, ann, kind, scope=OFFLINE)
    tokens = await shared.redeem(client, code)
    with pytest.raises(InvalidGrant):
        await shared.redeem(client, code, bus=shared.replica.bus)

    with pytest.raises(InvalidToken):
        await shared.call(CheckAccessToken(token=tokens.access_token))
    with pytest.raises(InvalidGrant):
        await shared.refresh(client, tokens.refresh_token)
    told = [name for name, _ in await shared.events()].count("authorization_code_reused")
    assert await is_refused(shared, client, code)
    again = [name for name, _ in await shared.events()].count("authorization_code_reused")
    assert told == again  # recorded once


@pytest.mark.parametrize("kind", KINDS)
async def test_of_redemptions_at_once_one_wins(shared: World, kind: str) -> None:
    """At two replicas, twenty times. The others are replays, so the winner's tokens end, too."""
    client, ann = await shared.client(), await shared.person()
    code = await issued(shared, client, ann, kind, scope=OFFLINE)
    buses = [shared.bus, shared.replica.bus] * 10
    outcomes = await asyncio.gather(
        *(shared.redeem(client, code, bus=bus) for bus in buses), return_exceptions=True
    )

    (won,) = [outcome for outcome in outcomes if isinstance(outcome, Tokens)]
    assert sum(isinstance(outcome, InvalidGrant) for outcome in outcomes) == 19
    with pytest.raises(InvalidGrant):
        await shared.refresh(client, won.refresh_token)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "wrong",
    [
        {"code_verifier": "w" * 43},
        {"code_verifier": None},
        {"redirect_uri": "https://rp.example.com/other"},
        {"redirect_uri": None},
    ],
    ids=["verifier", "no verifier", "redirect URI", "no redirect URI"],
)
async def test_a_wrong_attempt_uses_the_code_up(
    shared: World, kind: str, wrong: dict[str, Any]
) -> None:
    """At every replica, whether the code carries its content or not. What remains has no tokens and
    names no user, and a later replay is no event."""
    client, ann = await shared.client(require_pkce=False), await shared.person()
    code = await issued(shared, client, ann, kind, scope=OFFLINE)
    assert await is_refused(shared, client, code, **wrong)
    before = await shared.event_types()
    assert await is_refused(shared, client, code, bus=shared.replica.bus)

    assert await shared.event_types() == before
    assert (await rows(shared, ann))["refresh_tokens"] == 0
    left = await shared.owner.fetchrow(
        "SELECT user_id, session_id, revoked_reason, offline FROM token_families WHERE id = $1",
        (await opened(shared, code)).id,
    )
    assert left is not None
    assert dict(left) == {
        "user_id": None,
        "session_id": None,
        "revoked_reason": "code_refused",
        "offline": False,
    }


@pytest.mark.parametrize("kind", KINDS)
async def test_another_client_neither_gets_nor_ends_anything(shared: World, kind: str) -> None:
    """It cannot use up a code that got into its hands, nor end what the code has started."""
    client, other, ann = await shared.client(), await shared.client(), await shared.person()
    code = await issued(shared, client, ann, kind)
    assert await is_refused(shared, other, code)
    tokens = await shared.redeem(client, code)
    assert await is_refused(shared, other, code)

    assert (await shared.call(CheckAccessToken(token=tokens.access_token))).client_id
    assert (await shared.refresh(client, tokens.refresh_token)).access_token


Change = Callable[[World, NewClient, Person], Awaitable[Any]]


async def the_user_withdraws(world: World, client: NewClient, ann: Person) -> None:
    await world.call(RevokeMyGrant(client_id=client.client_id), Caller("user", ann.user_id))


async def an_administrator_revokes(world: World, client: NewClient, ann: Person) -> None:
    await world.admin(RevokeUserGrant(user_id=ann.user_id, client_id=client.client_id))


async def the_client_loses_one_user(world: World, client: NewClient, ann: Person) -> None:
    await world.admin(RevokeClientGrants(client=client.client_id, user_id=ann.user_id))


async def the_client_loses_all_users(world: World, client: NewClient, _: Person) -> None:
    await world.admin(RevokeClientGrants(client=client.client_id))


async def the_client_is_off_for_a_moment(world: World, client: NewClient, _: Person) -> None:
    for enabled in (False, True):
        await world.admin(UpdateClient(client=client.client_id, changes={"enabled": enabled}))


async def the_user_is_off_for_a_moment(world: World, _: NewClient, ann: Person) -> None:
    """As identity does it: disabling raises the epoch."""
    await world.owner.execute(
        "UPDATE users SET disabled = false, epoch = epoch + 1 WHERE id = $1", ann.user_id
    )


async def the_password_is_reset(world: World, _: NewClient, ann: Person) -> None:
    """As identity does it: every session ends."""
    await world.owner.execute(
        "UPDATE user_sessions SET revoked_at = now() WHERE user_id = $1", ann.user_id
    )


ENDINGS = [
    the_user_withdraws,
    an_administrator_revokes,
    the_client_loses_one_user,
    the_client_loses_all_users,
    the_client_is_off_for_a_moment,
    the_user_is_off_for_a_moment,
    the_password_is_reset,
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.__name__)
async def test_what_ends_before_redemption_gives_no_tokens(
    shared: World, kind: str, ending: Change
) -> None:
    """A code that was issued before is refused and used up. Codes of another user, of another client
    and those issued after it are not, unless it has ended those, too."""
    client, other = [await shared.client(first_party=False) for _ in range(2)]
    ann, ben = await shared.person(), await shared.person()
    code = await issued(shared, client, ann, kind, scope=OFFLINE)
    of_ben = await issued(shared, client, ben, kind, scope=OFFLINE)
    of_other = await issued(shared, other, ann, kind, scope=OFFLINE)
    await ending(shared, client, ann)

    assert await is_refused(shared, client, code)
    assert (await rows(shared, ann))["token_families"] == 0
    ends_all = ending in (the_client_loses_all_users, the_client_is_off_for_a_moment)
    assert await is_refused(shared, client, of_ben) is ends_all
    ends_user = ending in (the_user_is_off_for_a_moment, the_password_is_reset)
    assert await is_refused(shared, other, of_other) is ends_user
    again = Person(ann.user_id, await shared.session(ann.user_id))
    assert await shared.redeem(client, await issued(shared, client, again, kind, scope=OFFLINE))
    assert await is_refused(shared, client, code)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", ENDINGS[1:4], ids=lambda ending: ending.__name__)
async def test_a_first_party_client_needs_no_consent_to_lose(
    shared: World, kind: str, ending: Change
) -> None:
    """There is no consent to delete. Codes under way are refused nevertheless."""
    client, ann = await shared.client(), await shared.person()
    assert await shared.tokens(client, ann)
    code = await issued(shared, client, ann, kind)
    await ending(shared, client, ann)

    assert await is_refused(shared, client, code)
    assert await shared.tokens(client, ann)


async def test_a_second_revocation_refuses_later_codes(shared: World) -> None:
    """Each revocation counts, also one after another that the code knew."""
    client, ann = await shared.client(), await shared.person()
    for _ in range(3):
        await shared.tokens(client, ann)
        code = await shared.code(client, ann)
        await the_client_loses_one_user(shared, client, ann)
        assert await is_refused(shared, client, code)
        code = await shared.code(client, ann)
        await the_client_loses_all_users(shared, client, ann)
        assert await is_refused(shared, client, code)
    assert (
        await shared.owner.fetchval(
            "SELECT count(*) FROM revoked_grants WHERE client_id = $1", client.client_id
        )
        == 2
    )


async def test_a_revocation_of_nobody_is_not_kept(shared: World) -> None:
    """A user who makes up names of clients stores nothing."""
    ann = Caller("user", (await shared.person()).user_id)
    before = await shared.owner.fetchval("SELECT count(*) FROM revoked_grants")
    for client_id in ("client_made_up", "x"):
        await shared.refused(RevokeMyGrant(client_id=client_id), ann)
    assert await shared.owner.fetchval("SELECT count(*) FROM revoked_grants") == before


async def test_a_deleted_client_or_application_redeems_nothing(world: World) -> None:
    """Its codes are refused with it, and leave nothing. Of several clusters, that of an application that is
    gone cannot tell whether it was deleted or moved, so the client is to try again (docs/adr/0032)."""
    client, other, ann = await world.client(), await world.client(), await world.person()
    code, of_other = await world.code(client, ann), await world.code(other, ann)
    await world.admin(DeleteClient(client=client.client_id))
    with pytest.raises(InvalidClient):
        await world.redeem(client, code)

    for owner in world.owners:
        await owner.execute("DELETE FROM applications WHERE id = $1", world.app_id)
    await world.invalidation.publish(world.ctx(), "client", other.client_id)
    with pytest.raises(Busy if is_double(world.dsns) else InvalidClient):
        await world.redeem(other, of_other)
    assert await world.owner.fetchval("SELECT count(*) FROM token_families") == 0


async def test_a_redemption_during_a_revocation_does_not_survive_it(
    shared: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The redemption began before, so it does not see the revocation. The revocation waits for it
    and revokes what it has started."""
    monkeypatch.setattr(grant_revocation, "LONGEST_WAIT", 30.0)
    client, ann = await shared.client(), await shared.person()
    code = await shared.code(client, ann, scope=OFFLINE)
    holder, watcher = [await asyncpg.connect(shared.dsn("owner")) for _ in range(2)]
    held = holder.transaction()
    await held.start()  # makes the redemption wait for the end of this transaction
    await holder.execute(
        """INSERT INTO token_families (app_id, id, client_id, absolute_expires_at)
           VALUES ($1, $2, 'x', now())""",
        shared.app_id,
        (await content_of(shared, code)).id,
    )
    redemption = asyncio.create_task(shared.redeem(client, code))
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
    await until(lambda: watcher.fetchval(waiting))
    revocation = asyncio.create_task(the_client_loses_one_user(shared, client, ann))
    committed = "SELECT count(*) FROM revoked_grants WHERE client_id = $1"
    await until(lambda: watcher.fetchval(committed, client.client_id))
    await held.rollback()
    tokens = await redemption
    await revocation
    await asyncio.gather(holder.close(), watcher.close())

    with pytest.raises(InvalidToken):
        await shared.call(CheckAccessToken(token=tokens.access_token))
    assert tokens.refresh_token
    with pytest.raises(InvalidGrant):
        await shared.refresh(client, tokens.refresh_token)


async def test_a_revocation_waits_for_present_transactions_only(
    shared: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait for those that begin later, and not for ever for one that does not end."""
    monkeypatch.setattr(grant_revocation, "LONGEST_WAIT", 0.05)
    seen: list[set[tuple[int, str]]] = []

    async def always_another(_: Any) -> set[tuple[int, str]]:
        seen.append({(1, "begun long ago"), (2, f"begun {len(seen)}")})
        return seen[-1] if len(seen) < 3 else {(2, "begun later")}

    monkeypatch.setattr(revoked_grants, "list_transactions", always_another)
    client, ann = await shared.client(), await shared.person()
    await shared.tokens(client, ann)
    await the_client_loses_one_user(shared, client, ann)
    assert len(seen) == 3

    async def never(_: Any) -> set[tuple[int, str]]:
        return {(1, "begun long ago")}

    monkeypatch.setattr(revoked_grants, "list_transactions", never)
    await the_client_loses_one_user(shared, client, ann)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_code_outlives_its_process(world: World, kind: str) -> None:
    """A process that starts after the code was issued redeems it, and sees that it was used."""
    client, ann = await world.client(), await world.person()
    code = await issued(world, client, ann, kind)
    world.sealer.forget(world.app_id)
    world.add_oidc_replica()
    assert await world.redeem(client, code, bus=world.replica.bus)
    world.add_oidc_replica()
    with pytest.raises(InvalidGrant):
        await world.redeem(client, code, bus=world.replica.bus)


@pytest.mark.parametrize("kind", KINDS)
async def test_codes_outlive_a_rotation_of_the_master_key(world: World, kind: str) -> None:
    """A code that was sealed before is redeemed after, once: while both keys are configured, and when
    the data keys were wrapped again and the former key is gone."""
    client, ann = await world.client(), await world.person()
    codes = [await issued(world, client, ann, kind) for _ in range(2)]
    serve_with(world, ROTATED)
    codes.append(await issued(world, client, ann, kind))
    assert await world.redeem(client, codes[0])
    assert await is_refused(world, client, codes[0])
    for row in await world.owner.fetch("SELECT app_id, id, wrapped FROM data_keys"):
        place = data_key_place(row["app_id"], row["id"])
        wrapped = wrap(ROTATED, place, unwrap(ROTATED, place, row["wrapped"]))
        await world.owner.execute(
            "UPDATE data_keys SET wrapped = $2 WHERE id = $1", row["id"], wrapped
        )
    retired = replace(Keys.parse(NEW_KEY), retired=(("k1", KEYS.recognition()),), eldest="k1")
    serve_with(world, retired)

    for code in codes[1:]:
        assert await world.redeem(client, code)
        assert await is_refused(world, client, code)


def serve_with(world: World, keys: Keys) -> None:
    """Replaces the process by one with these master keys. It has read nothing yet."""
    world.bus.serve(replace(world.oidc, keys=keys, sealer=Sealer(keys)), HANDLERS)


async def test_a_form_submitted_again_after_a_rotation_gets_the_same_code(world: World) -> None:
    """It was answered by a process with the former key, and again by one with both."""
    client, ann = await world.client(), await world.person()
    asked = await world.authorize(client, ann, prompt="select_account")
    first = await world.resume(asked.request, ann, selected=True)
    serve_with(world, ROTATED)

    assert await world.resume(asked.request, ann, selected=True) == first
    assert await world.redeem(client, fields(first)["code"])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_code_belongs_to_its_application(world: World, kind: str) -> None:
    """At another application it is unknown, even for a client of the same name. It is not used up."""
    public = {"type": "spa", "token_endpoint_auth_method": "none"}
    client, ann = await world.client(**public), await world.person()
    code = await issued(world, client, ann, kind)
    first, world.app_id = world.app_id, await world.application()
    await world.call(EnsureKeys(), SYSTEM_CALLER)
    twin = await world.client(**public)
    await world.owner.execute(
        "UPDATE oauth_clients SET client_id = $1 WHERE app_id = $2", client.client_id, world.app_id
    )
    twin = twin.model_copy(update={"client_id": client.client_id})

    assert await is_refused(world, twin, code)
    assert await world.owner.fetchval("SELECT count(*) FROM token_families") == 0
    world.app_id = first
    assert await world.redeem(client, code)


async def test_an_expired_code_is_refused(shared: World) -> None:
    """By the clock of the database. It starts, leaves and ends nothing. A code that was redeemed in
    time still ends its tokens when it is presented again much later."""
    client, ann = await shared.client(), await shared.person()
    code = await shared.code(client, ann)
    content = await content_of(shared, code)
    left = content.expires_at - datetime.now(UTC)
    assert 50 < left.total_seconds() <= 61
    past = replace(content, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    expired = await sealed(shared, past)

    assert await is_refused(shared, client, expired)
    assert set((await rows(shared, ann)).values()) == {0}
    assert await shared.owner.fetchval("SELECT count(*) FROM token_families WHERE id = $1",
                                       content.id) == 0  # fmt: skip
    tokens = await shared.redeem(client, code)
    assert await is_refused(shared, client, expired)
    with pytest.raises(InvalidGrant):
        await shared.refresh(client, tokens.refresh_token)


async def test_a_large_request_keeps_a_row(world: World) -> None:
    """The code has two thousand characters at most. Long after its row is gone, a replay still ends
    the family."""
    client, ann = await world.client(), await world.person()
    code = await world.code(client, ann, nonce="n" * 2000, scope=OFFLINE)
    assert len(code) < 100
    assert (await rows(world, ann))["authorization_codes"] == 1
    tokens = await world.redeem(client, code)
    assert (await world.claims(tokens.id_token, client.client_id))["nonce"] == "n" * 2000

    await world.owner.execute("UPDATE authorization_codes SET expires_at = now() - interval '1 s'")
    await sweep(world.sweep_db, EXPIRED)
    assert (await rows(world, ann))["authorization_codes"] == 0
    assert await is_refused(world, client, code)
    with pytest.raises(InvalidGrant):
        await world.refresh(client, tokens.refresh_token)


async def test_an_unused_row_that_is_gone_gives_nothing(world: World) -> None:
    """Nor does it end anything."""
    client, ann = await world.client(), await world.person()
    tokens = await world.tokens(client, ann)
    code = await issued(world, client, ann, "stored")
    await world.owner.execute("DELETE FROM authorization_codes")

    assert await is_refused(world, client, code)
    assert await world.refresh(client, tokens.refresh_token)


@pytest.mark.parametrize("cnf", [{"jkt": "x"}, {"x5t#S256": "x"}, {"kid": "x"}])
async def test_a_bound_code_is_worth_nothing_without_its_proof(
    shared: World, cnf: dict[str, str]
) -> None:
    """Nor is one that is bound to something that nobody here can check. It is used up."""
    client, ann = await shared.client(), await shared.person()
    content = replace(await content_of(shared, await shared.code(client, ann)), cnf=cnf)
    code = await sealed(shared, content)
    with pytest.raises((InvalidGrant, InvalidDpopProof)):
        await shared.redeem(client, code)

    assert await is_refused(shared, client, code)


async def test_details_of_a_code_come_into_its_tokens(shared: World) -> None:
    """What was granted beyond the scopes is in the answer and in the token (RFC 9396 section 7)."""
    client, ann = await shared.client(), await shared.person()
    details = [{"type": "payment"}]
    content = await content_of(shared, await shared.code(client, ann))
    code = await sealed(shared, replace(content, authorization_details=details))
    tokens = await shared.redeem(client, code)

    assert tokens.authorization_details == details
    assert (await shared.claims(tokens.access_token))["authorization_details"] == details


async def test_traces_of_used_codes_are_swept(world: World) -> None:
    """A refused code's family is kept long after the code has expired, then deleted. So are
    revocations."""
    client, ann = await world.client(), await world.person()
    code = await world.code(client, ann)
    assert await is_refused(world, client, code, code_verifier="w" * 43)
    await the_client_loses_all_users(world, client, ann)
    await sweep(world.sweep_db, EXPIRED)
    kept = "SELECT min(absolute_expires_at) FROM token_families"
    assert await world.owner.fetchval(kept) == (await content_of(world, code)).expires_at
    assert await world.owner.fetchval(
        "SELECT min(expires_at) > now() + interval '19 minutes' FROM revoked_grants"
    )

    await world.owner.execute(
        "UPDATE token_families SET absolute_expires_at = now() - interval '49 hours'"
    )
    await world.owner.execute("UPDATE revoked_grants SET expires_at = now() - interval '1 s'")
    await sweep(world.sweep_db, EXPIRED)
    for table in ("token_families", "revoked_grants"):
        assert await world.owner.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_a_session_knows_the_clients_that_have_redeemed(shared: World) -> None:
    """A refused code adds none, a second code adds no other, and the `sid` is that of the token."""
    client, ann = await shared.client(), await shared.person()
    refused = await shared.code(client, ann)
    assert await is_refused(shared, client, refused, code_verifier="w" * 43)
    assert (await rows(shared, ann))["session_clients"] == 0
    tokens = [await shared.tokens(client, ann) for _ in range(2)]

    claims = await shared.claims(tokens[0].id_token, client.client_id)
    found = await shared.owner.fetch(
        "SELECT sid, subject, session_id FROM session_clients WHERE user_id = $1", ann.user_id
    )
    assert [tuple(row) for row in found] == [(claims["sid"], claims["sub"], ann.session.session_id)]
