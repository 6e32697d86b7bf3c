"""The hash chain shows if an event was changed, left out or reordered."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import orjson
import pytest
from tests.kit.callers import secret_key_of
from tests.kit.world import KEYS, World
from tests.service.tenancy.test_audit import everything, record, user

from common.audit_chain import Checkpoint, Verifier, public_keys
from common.contracts.audit_log import ListCheckpoints
from common.crypto import Keys
from common.events.sessions import Logout
from tenancy import audit_sealing
from tenancy.audit_sealing import seal

OTHER = Keys.parse("k1:" + "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=")


async def exported(world: World, app: str) -> tuple[list[dict[str, Any]], list[Checkpoint]]:
    """Returns the lines of an export and the checkpoints."""
    await seal(world.tenancy, app, sign=True)
    lines = [r.model_dump_json() for r in await everything(world, secret_key_of(app))]
    heads = await world.call(ListCheckpoints(), secret_key_of(app))
    made = [Checkpoint(**orjson.loads(h.model_dump_json())) for h in heads.checkpoints]
    return [orjson.loads(line) for line in lines], made


def check(events: list[dict[str, Any]], heads: list[Checkpoint], keys: Keys = KEYS) -> Verifier:
    verifier = Verifier(public_keys(keys), heads)
    for event in events:
        verifier.take(event)
    verifier.end()
    return verifier


@pytest.fixture
async def log(world: World) -> tuple[list[dict[str, Any]], list[Checkpoint]]:
    """A log of some events, one of a user, with two checkpoints."""
    app = (await world.create_application()).id
    ada = await user(world, app)
    await record(world, app, *[Logout(session_id=str(n)) for n in range(3)])
    await exported(world, app)
    await record(world, app, Logout(session_id="of ada"), user_id=ada)
    await record(world, app, Logout(session_id="last"))
    return await exported(world, app)


Log = tuple[list[dict[str, Any]], list[Checkpoint]]


async def test_an_honest_log_verifies(log: Log) -> None:
    """Every event verifies, up to a signature."""
    events, heads = log
    done = check(events, heads)

    assert done.faults == []
    assert done.events == done.sealed == len(events)
    assert len(heads) == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_type", "login"),
        ("event_data", {"session_id": "another"}),
        ("actor_id", "somebody"),
        ("actor_kind", "user"),
        ("ip_address", "198.51.100.1"),
        ("user_agent", None),
        ("trace", None),
        ("created_at", "2020-01-01T00:00:00Z"),
        ("session_id", "01900000-0000-7000-8000-00000000000b"),
        ("org_id", "01900000-0000-7000-8000-00000000000b"),
        ("version", 2),
        ("id", "01900000-0000-7000-8000-00000000000b"),
        ("user_id", "01900000-0000-7000-8000-00000000000b"),
    ],
)
async def test_a_changed_field_is_found(log: Log, field: str, value: object) -> None:
    """A change of any field is found."""
    events, heads = log
    events[2][field] = value

    assert check(events, heads).faults


async def test_another_user_is_found(log: Log) -> None:
    """A changed user is found by the salt of the reference."""
    events, heads = log
    of_ada = next(e for e in events if e["event_data"].get("session_id") == "of ada")
    assert of_ada["user_id"] is not None
    of_ada["user_id"] = "01900000-0000-7000-8000-00000000000b"

    assert any("another user" in fault for fault in check(events, heads).faults)


async def test_a_removed_event_is_found(log: Log) -> None:
    """A removed event is found in the middle, at the end by a checkpoint, and in an empty file."""
    events, heads = log
    for missing in range(1, len(events)):
        left = events[:missing] + events[missing + 1 :]
        assert any("missing" in fault for fault in check(left, heads).faults), missing
    assert any("missing" in fault for fault in check([], heads).faults)


async def test_an_added_or_swapped_event_is_found(log: Log) -> None:
    """A repeated event is found, and so are two swapped ones, with or without their positions."""
    events, heads = log
    assert check([*events[:2], events[1], *events[2:]], heads).faults
    assert check([events[1], events[0], *events[2:]], heads).faults
    swapped = copy.deepcopy(events)
    swapped[0]["chain"], swapped[1]["chain"] = swapped[1]["chain"], swapped[0]["chain"]
    assert check([swapped[1], swapped[0], *swapped[2:]], heads).faults


async def test_a_rewritten_chain_differs_from_its_signature(log: Log) -> None:
    """An attacker with the database can compute a new chain, but cannot sign it."""
    from common.audit_chain import link, unb64
    from common.crypto import b64url

    events, heads = log
    events[1]["ip_address"] = "198.51.100.1"
    previous = unb64(events[0]["chain"]["hash"])
    for event in events[1:]:
        place = event["chain"]
        place["previous_hash"] = b64url(previous)
        whole = event | {"user_ref": place["user_ref"]}
        previous = link(event["app_id"], place["seq"], previous, whole)
        place["hash"] = b64url(previous)

    assert any("signed checkpoint" in fault for fault in check(events, heads).faults)
    assert check(events, []).faults == []  # the reason to keep checkpoints elsewhere


async def test_a_forged_checkpoint_is_found(log: Log) -> None:
    """A checkpoint that is changed or signed by another key is found."""
    events, heads = log
    assert check(events, heads, OTHER).faults
    forged = [Checkpoint(**{**vars(heads[0]), "seq": heads[0].seq + 1})]
    assert any("not ours" in fault for fault in check(events, forged).faults)
    strange = [Checkpoint(**{**vars(heads[0]), "kid": "k9"})]
    assert any("no trusted key" in fault for fault in check(events, strange).faults)


async def test_deleting_a_user_breaks_nothing(world: World) -> None:
    """The hash covers a reference to the user, and the reference stays."""
    app = (await world.create_application()).id
    ada = await user(world, app)
    await record(world, app, Logout(session_id="of ada"), user_id=ada)
    await exported(world, app)
    await world.owner.execute("DELETE FROM users WHERE app_id = $1 AND id = $2", app, ada)
    events, heads = await exported(world, app)
    of_ada = next(e for e in events if e["event_data"].get("session_id") == "of ada")

    assert of_ada["user_id"] is None
    assert of_ada["chain"]["user_ref"] is not None
    assert of_ada["chain"]["user_salt"] is None
    assert check(events, heads).faults == []


async def test_what_retention_left_verifies(world: World) -> None:
    """After retention the rest still verifies, up to its signature."""
    app = (await world.create_application()).id
    await record(world, app, *[Logout(session_id=str(n)) for n in range(4)])
    events, heads = await exported(world, app)
    left = check(events[2:], heads)

    assert left.faults == []
    assert left.first == 3


async def test_many_at_once_make_one_chain(world: World) -> None:
    """Simultaneous writers and sealers give one chain: every event once, no position twice."""
    app = (await world.create_application()).id

    async def write(n: int) -> None:
        await record(world, app, *[Logout(session_id=f"{n}-{m}") for m in range(10)])

    async def seal() -> None:
        for _ in range(10):
            await audit_sealing.seal(world.tenancy, app)

    await asyncio.gather(*(write(n) for n in range(6)), seal(), seal())
    events, heads = await exported(world, app)

    assert sum(e["event_type"] == "logout" for e in events) == 60
    assert check(events, heads).faults == []


async def test_a_quiet_chain_is_signed_once(world: World) -> None:
    """Without new events no checkpoint is signed."""
    app = (await world.create_application()).id
    await exported(world, app)
    _, heads = await exported(world, app)

    assert len(heads) == 1


async def test_garbage_is_a_fault_and_no_crash() -> None:
    """A file that is no export is reported."""
    for line in ({}, {"chain": 5}, {"chain": {"seq": "x"}}, {"app_id": 1, "chain": None}):
        assert check([line], []).faults


async def test_events_that_come_again_are_sealed_once(world: World) -> None:
    """The stream keeps a batch twice if its relay was down for longer than the window. The chain has each
    event once."""
    app = (await world.create_application()).id
    await record(world, app, *[Logout(session_id=str(n)) for n in range(3)])
    rows = await world.owner.fetch("SELECT id::text FROM audit_logs WHERE app_id = $1", app)
    ids = [row["id"] for row in rows]
    for batch in (ids[:2], ids, ids):
        await audit_sealing.seal_events(world.tenancy, app, batch)
    chained = await world.owner.fetch(
        "SELECT event_id::text FROM audit_chain WHERE app_id = $1 ORDER BY seq", app
    )

    assert sorted(row["event_id"] for row in chained) == sorted(ids)
