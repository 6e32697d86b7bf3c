"""The superuser of a data folder gets a new password, and a start after an interruption works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from aero2 import database_passwords
from aero2.embedded import ports
from aero2.embedded.folder import Folder
from aero2.embedded.postgres import Postgres
from aero2.embedded.rotation_lock import rotation_lock
from aero2.embedded.secrets import Secrets
from aero2.embedded.superuser import undo_change
from aero2.embedded.temporary_server import temporary_server

pytestmark = pytest.mark.long


class Killed(Exception):
    """The process of the rotation ended here."""


async def accepts(postgres: Postgres, password: str) -> bool:
    try:
        db = await asyncpg.connect(postgres.url("postgres", password, "postgres"))
    except asyncpg.InvalidPasswordError:
        return False
    await db.close()
    return True


async def rotate(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "port_of", lambda *_: postgres.port)
    with rotation_lock(postgres.folder):
        await database_passwords.rotate_owner(postgres.folder, lambda _: None)


@pytest.mark.parametrize("step", ["_begin_owner", "_change_owner", "_finish_owner"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_change_that_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    """Wherever it ended, the platform starts with the password of `secrets.json`, and the next run finishes the
    same change. The former password is refused then."""
    folder = Folder.at(tmp_path / "data")
    former = Secrets.load(folder).superuser
    whole: Callable[..., Any] = getattr(database_passwords, step)

    async def killed(*arguments: Any) -> None:
        if after:
            await whole(*arguments)
        raise Killed

    async with temporary_server(folder, former) as postgres:
        with monkeypatch.context() as patched:
            patched.setattr(database_passwords, step, killed)
            with pytest.raises(Killed):
                await rotate(postgres, patched)
    halfway = Secrets.load(folder)
    async with temporary_server(folder, halfway.superuser) as postgres:
        assert await accepts(postgres, halfway.superuser)
        await rotate(postgres, monkeypatch)
        secrets = Secrets.load(folder)
        assert secrets.next_superuser == ""
        assert halfway.next_superuser in ("", secrets.superuser)
        assert (halfway.next_superuser == "") == (
            (step, after) in {("_begin_owner", False), ("_finish_owner", True)}
        )
        assert await accepts(postgres, secrets.superuser)
        assert not await accepts(postgres, former)


async def test_a_running_change_is_not_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server may be started again in the middle of it."""
    folder = Folder.at(tmp_path / "data")
    secrets = Secrets.load(folder)
    async with temporary_server(folder, secrets.superuser) as postgres:
        monkeypatch.setattr(ports, "port_of", lambda *_: postgres.port)
        await database_passwords._begin_owner(folder)
        db = await database_passwords._connect(folder)
        await database_passwords._change_owner(folder, db)
        await db.close()
        following = Secrets.load(folder).next_superuser
        with rotation_lock(folder):
            await undo_change(folder, lambda each: postgres.url("postgres", each, "postgres"))
            assert await accepts(postgres, following)
        await undo_change(folder, lambda each: postgres.url("postgres", each, "postgres"))
        assert await accepts(postgres, secrets.superuser)
