"""Users are imported, exported and imported again."""

from __future__ import annotations

import random
from typing import Any

import bcrypt
import pytest
from pydantic import ValidationError
from tests.kit.callers import ADMIN, PASSWORD
from tests.kit.world import World

from common.context import Caller
from common.contracts.audit_log import ListAudit
from common.contracts.passwords import SignInWithPassword
from common.contracts.user_import import ExportUsers, ImportUsers, TransferredUser
from common.contracts.users import CreateUser, DeleteUser, FindUser, GetUser, ListUsers
from common.ids import new_id
from common.problems import Forbidden

HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()


async def _import(world: World, *users: TransferredUser, app_id: str | None = None, **more: Any):  # type: ignore[no-untyped-def]
    request = ImportUsers(users=list(users), **more)
    return (await world.call(request, ADMIN, app_id)).arrivals


async def test_import(world: World) -> None:
    """Imported users keep hash, profile, metadata and creation time, and sign in with their old
    password."""
    (arrival,) = await _import(
        world,
        TransferredUser(
            email="Ada@example.com",
            email_verified=True,
            name="Ada",
            birthdate="1815-12-10",
            password_hash=HASH,
            public_metadata={"plan": "pro"},
            created_at="2020-01-02T03:04:05Z",
        ),
    )
    user = await world.call(GetUser(user_id=arrival.user_id), caller=ADMIN)
    signed = await world.call(SignInWithPassword(email="ada@example.com", password=PASSWORD))

    assert (user.email, user.name, user.birthdate) == ("Ada@example.com", "Ada", "1815-12-10")
    assert (user.public_metadata, user.created_at.year) == ({"plan": "pro"}, 2020)
    assert user.has_password
    assert signed.full().user_id == user.id
    assert world.stand_ins.rbac.roles == [
        (world.app_id, user.id, False)
    ]  # rbac assigns it at the first sign-in
    assert ("users_imported", {"count": 1, "batch_id": None}) in await world.events()


async def test_import_again_changes_nothing(world: World) -> None:
    """A user who exists, by address or id, is left unchanged, also within one call."""
    user = TransferredUser(email="ada@example.com", name="Ada")
    twin = TransferredUser(email="ADA@example.com", name="Eve")
    first = await _import(world, user, twin)
    second = await _import(world, twin, TransferredUser(id=first[0].user_id))

    assert [arrival.status for arrival in first] == ["created", "exists"]
    assert [arrival.status for arrival in second] == ["exists", "exists"]
    assert (await world.call(GetUser(user_id=first[0].user_id), caller=ADMIN)).name == "Ada"


async def test_each_line_has_its_own_faults(world: World) -> None:
    """An invalid line does not stop the others. Its error names the field and not the value."""
    world.configure(world.app_id, public_metadata_schema={"required": ["plan"]})
    arrivals = await _import(
        world,
        TransferredUser(name="nobody"),
        TransferredUser(email="a@example.com", password_hash="$1$md5$secrethash"),
        TransferredUser(email="b@example.com", public_metadata={"other": "hush"}),
        TransferredUser(email="c@example.com"),
        TransferredUser(email="d@example.com", password="x" * 257),
    )

    assert [arrival.status for arrival in arrivals] == [
        "invalid", "invalid", "invalid", "created", "invalid"
    ]  # fmt: skip
    assert [arrival.errors[0]["field"] for arrival in arrivals if arrival.errors] == [
        "email", "password_hash", "public_metadata", "password"
    ]  # fmt: skip
    assert "hush" not in str(arrivals)
    assert "secrethash" not in str(arrivals)


async def test_dry_run_keeps_nothing(world: World) -> None:
    """A dry run answers like the import, and stores neither users nor events."""
    arrivals = await _import(world, TransferredUser(email="a@example.com"), dry_run=True)

    assert arrivals[0].status == "created"
    assert await world.events() == []
    assert (await _import(world, TransferredUser(email="a@example.com")))[0].status == "created"


async def test_export_can_be_imported(world: World) -> None:
    """Another application can import an export, passwords included."""
    for number in range(5):
        await world.call(
            CreateUser(
                email=f"u{number}@example.com",
                email_verified=True,
                password=PASSWORD if number == 0 else None,
                private_metadata={"n": number},
            ),
            caller=ADMIN,
        )
    moved: list[TransferredUser] = []
    cursor = None
    while True:
        request = ExportUsers(limit=2, cursor=cursor, password_hashes=True)
        page = await world.call(request, caller=ADMIN)
        moved += page.users
        cursor = page.next
        if cursor is None:
            break
    await _import(world, *moved, app_id=world.other_app_id)
    signed = await world.call(
        SignInWithPassword(email="u0@example.com", password=PASSWORD), app_id=world.other_app_id
    )
    there = await world.call(GetUser(user_id=moved[3].id or ""), ADMIN, world.other_app_id)

    assert [user.email for user in moved] == [f"u{n}@example.com" for n in range(5)]
    assert signed.full().user_id == moved[0].id
    assert there.private_metadata == {"n": 3}


async def test_hashes_need_all_permissions(world: World) -> None:
    """A caller who may read users can export them, but not their hashes."""
    await world.user()
    reader = Caller(kind="user", id=new_id(), permissions=frozenset({"users:read"}))
    page = await world.call(ExportUsers(), caller=reader)

    assert page.users[0].password_hash is None
    assert isinstance(
        await world.refused(ExportUsers(password_hashes=True), caller=reader), Forbidden
    )


async def test_large_users_fit_into_an_answer(world: World) -> None:
    """However large the metadata is, a page fits into a message of the bus, and no user is missing."""
    large = {"x": "y" * 16_000}
    await _import(
        world,
        *(
            TransferredUser(
                email=f"u{n}@example.com", public_metadata=large, private_metadata=large
            )
            for n in range(30)
        ),
    )
    seen = 0
    cursor = None
    while True:
        page = await world.call(ExportUsers(limit=100, cursor=cursor), caller=ADMIN)
        assert len(page.model_dump_json()) < 1_000_000
        seen += len(page.users)
        cursor = page.next
        if cursor is None:
            break

    assert seen == 30


async def test_hashes_that_cost_too_much_are_refused(world: World) -> None:
    """A hash that would cost minutes or gigabytes, or that can never verify, is refused with field
    and reason. The other lines are imported."""
    key = "A" * 43
    arrivals = await _import(
        world,
        *(
            TransferredUser(email=f"u{number}@example.com", password_hash=hash)
            for number, hash in enumerate([
                f"$argon2id$v=19$m=64,t=4000000000,p=1$c29tZXNhbHRzb21lc2FsdA${key}",
                f"$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHRzb21lc2FsdA${key}",
                "$pbkdf2-sha1$5000000$c2FsdA$" + "A" * 171,
                f"$scrypt$ln=18,r=8,p=16$c2FsdHNhbHQ${key}",
                "$argon2id$junk",
                HASH,
            ])
        ),
    )  # fmt: skip

    assert [arrival.status for arrival in arrivals] == ["invalid"] * 5 + ["created"]
    errors = [arrival.errors[0] for arrival in arrivals if arrival.errors]
    assert {error["field"] for error in errors} == {"password_hash"}
    assert errors[0]["code"] == "hash_needs_time"
    assert (errors[1]["code"], errors[1]["params"]) == ("hash_needs_memory", {"maximum": 256})


@pytest.mark.parametrize(
    "moment",
    [
        "0001-01-01T00:00:00+01:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
        "1899-12-31",
    ],
)
async def test_a_date_that_cannot_be_read_back_is_refused(moment: str) -> None:
    """Zero dates of other systems and dates out of range are refused."""
    with pytest.raises(ValidationError):
        TransferredUser.model_validate({"email": "a@example.com", "created_at": moment})
    with pytest.raises(ValidationError):
        ListAudit.model_validate({"start_date": moment, "limit": 1})


async def _raw(world: World, *lines: Any, **more: Any):  # type: ignore[no-untyped-def]
    return (await world.call(ImportUsers(users=list(lines), **more), ADMIN)).arrivals


async def test_one_bad_line_does_not_stop_the_others(world: World) -> None:
    """Each line gets a result with its field, even if it is no user object."""
    arrivals = await _raw(
        world,
        {"email": "ok1@example.com"},
        {"email": "not an address"},
        17,
        {"email": "x@example.com", "emial": "y"},
        {"email": "ok2@example.com", "created_at": "0001-01-01T00:00:00+01:00"},
        {"email": "ok3@example.com"},
    )

    assert [arrival.status for arrival in arrivals] == [
        "created", "invalid", "invalid", "invalid", "invalid", "created"
    ]  # fmt: skip
    assert [arrival.errors[0]["field"] for arrival in arrivals if arrival.errors] == [
        "email", "line", "emial", "created_at"
    ]  # fmt: skip


async def test_two_lines_with_one_id(world: World) -> None:
    """The second line with the same id is answered `exists`. A line with a taken address does not
    use up its id."""
    await world.user("taken@example.com")
    id, other = new_id(), new_id()
    arrivals = await _raw(
        world,
        {"id": id, "email": "a@example.com", "password_hash": HASH},
        {"id": id, "email": "b@example.com", "password_hash": HASH},
        {"id": id, "email": "a@example.com"},
        {"id": other, "email": "Taken@example.com", "password_hash": HASH},
        {"id": other, "email": "c@example.com", "password_hash": HASH},
    )

    assert [arrival.status for arrival in arrivals] == [
        "created", "exists", "exists", "exists", "created"
    ]  # fmt: skip
    assert (await world.call(GetUser(user_id=id), caller=ADMIN)).email == "a@example.com"
    assert (await world.call(GetUser(user_id=other), caller=ADMIN)).email == "c@example.com"


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ({"created_at": "2099-01-01T00:00:00Z"}, "created_at"),
        ({"password": PASSWORD, "password_hash": HASH}, "password_hash"),
        ({"id": "00000000-0000-0000-0000-000000000000"}, "id"),
        ({"id": "ffffffff-ffff-ffff-ffff-ffffffffffff"}, "id"),
        ({"phone_number_verified": True}, "phone_number_verified"),
    ],
)
async def test_nothing_is_changed_in_silence(
    world: World, line: dict[str, Any], place: str
) -> None:
    """A line that could only be stored with a change is refused."""
    (arrival,) = await _raw(world, {"email": "a@example.com", **line})

    assert (arrival.status, arrival.errors[0]["field"]) == ("invalid", place)


@pytest.mark.parametrize("seed", range(8))
async def test_every_line_has_one_true_verdict(world: World, seed: int) -> None:
    """For any list of lines the results add up, and each created user exists afterwards."""
    draw = random.Random(seed)
    ids = [new_id() for _ in range(3)]
    lines: list[Any] = [
        {
            name: value
            for name, value in {
                "id": draw.choice([*ids, new_id()]),
                "email": draw.choice(["a@x.example", "A@x.example", "b@x.example", "no", None]),
                "name": draw.choice(["Ada", 7, None]),
                "password_hash": draw.choice([HASH, None]),
                "email_verified": draw.choice([True, False]),
                "created_at": draw.choice(["2020-01-01T00:00:00", "0001-01-01T00:00:00+14:00"]),
            }.items()
            if draw.random() < 0.7
        }
        for _ in range(30)
    ]
    arrivals = await _raw(world, *lines)
    created = [(arrival, line) for arrival, line in zip(arrivals, lines, strict=True)
               if arrival.status == "created"]  # fmt: skip
    users = (await world.call(ListUsers(limit=100), caller=ADMIN)).users
    exported = (await world.call(ExportUsers(limit=100), caller=ADMIN)).users

    assert len(arrivals) == len(lines)
    assert {arrival.status for arrival in arrivals} <= {"created", "exists", "invalid"}
    assert sorted(user.id for user in users) == sorted(str(one.user_id) for one, _ in created)
    assert sorted(str(user.id) for user in exported) == sorted(user.id for user in users)
    for arrival, line in created:
        user = await world.call(GetUser(user_id=arrival.user_id), caller=ADMIN)
        assert (user.email, user.name) == (line.get("email"), line.get("name"))
        assert user.has_password == bool(line.get("password_hash"))
        if user.email:
            assert (await world.call(FindUser(email=user.email), caller=ADMIN)).id == user.id
        await world.call(DeleteUser(user_id=user.id), caller=ADMIN)
    assert (await world.call(ListUsers(limit=100), caller=ADMIN)).users == []
