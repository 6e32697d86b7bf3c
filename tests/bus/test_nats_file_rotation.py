"""Passwords of NATS users are replaced where only their files remember it, as in docker-compose.yml."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.bus.nats_platform import Killed, Platform, end, process_of
from tests.kit.nats_server import until

from aero2 import nats_passwords
from aero2.embedded.password_files import nats_file
from aero2.embedded.secrets import NATS_USERS
from aero2.failures import CommandError
from aero2.nats_file_passwords import LoginFiles, NatsRotation
from aero2.password_files import PasswordFile
from common.process_life import is_healthy

pytestmark = pytest.mark.usefixtures("patience")
STEPS = ("add", "accept_all", "prefer_new", "settle")


@pytest.fixture
def patience(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives calls on their way the time that they have in a deployment: a busy machine needs it."""
    monkeypatch.setattr(nats_passwords, "ANSWERED", 1.0)


def rotation_of(platform: Platform) -> NatsRotation:
    """Returns the rotation of a platform whose files have the password alone, as `aero2 compose-env` writes
    them."""
    files = {user: PasswordFile(nats_file(platform.folder, user), user) for user in NATS_USERS}
    for file in files.values():
        file.write([file.lines()[0].rpartition(":")[2]])
    # What the embedded server wrote, without its users and its mark.
    server = platform.nats.config.read_text().partition("\n")[2].partition("\nmax_payload")[0]
    logins = LoginFiles(platform.nats.config, files, server)
    return NatsRotation(platform.nats.url, logins, platform.server.pid, within=30)


async def run(rotation: NatsRotation) -> None:
    await rotation.run(lambda _: None)


async def test_logins_are_replaced_under_load(platform: Platform) -> None:
    """No call to the only replica fails, each is handled once, and the former logins are refused. Twice: the
    names alternate."""
    rotation = rotation_of(platform)
    formers = []
    async with platform.load():
        for _ in range(2):
            formers += rotation.logins.of_user("cli")
            await run(rotation)
        await asyncio.sleep(0.2)

    assert platform.failures == []
    assert platform.answers > 50
    assert platform.handled == platform.answers
    assert platform.tasks_alive()
    assert [login for login, _ in formers] == ["cli", "cli-2"]
    assert [await platform.accepts(former) for former in formers] == [False, False]
    for user in NATS_USERS:
        assert [login for login, _ in rotation.logins.of_user(user)] == [user]
    for links in (platform.service, platform.gateway):
        assert await is_healthy(links, None)


@pytest.mark.long
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_rotation_that_was_killed_is_finished(
    platform: Platform, step: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it ended, processes can connect, also if NATS starts again with what the files say, and the next
    run replaces every password without a failed call."""
    rotation = rotation_of(platform)
    former = rotation.logins.of_user("cli")[0]
    await _kill_at(rotation, step, after, monkeypatch)
    async with platform.load():
        file = nats_file(platform.folder, "tenancy")
        await end(await process_of(platform.nats.url, "tenancy", file))
        await asyncio.to_thread(
            rotation.logins.write_configuration
        )  # `docker compose up` writes it, too
        await run(rotation)

    assert platform.failures == []
    assert platform.handled == platform.answers
    assert platform.tasks_alive()
    assert not await platform.accepts(former)
    for user in NATS_USERS:
        assert len(rotation.logins.of_user(user)) == 1
    assert await platform.accepts(rotation.logins.of_user("cli")[0])


async def _kill_at(
    rotation: NatsRotation, step: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs a rotation that ends before or after a step."""
    whole: Callable[..., Any] = getattr(NatsRotation, step)

    def killed(*arguments: Any) -> Any:
        async def later() -> None:
            if after:
                await whole(*arguments)
            raise Killed

        if asyncio.iscoroutinefunction(whole):
            return later()
        if after:
            whole(*arguments)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(NatsRotation, step, killed)
        with pytest.raises(Killed):
            await run(rotation)


@pytest.mark.long
@pytest.mark.parametrize("files", [1, 3, 5])
@pytest.mark.parametrize("step", ["add", "prefer_new", "settle"])
async def test_a_rotation_that_was_killed_between_two_files_is_finished(
    platform: Platform, step: str, files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some users have the new login then, and others do not. No call of the next run fails."""
    rotation = rotation_of(platform)
    former = rotation.logins.of_user("cli")[0]
    keep, left = LoginFiles.keep, {"add": 0, "prefer_new": 6, "settle": 12}[step] + files

    def keep_some(self: LoginFiles, user: str, logins: list[tuple[str, str]]) -> None:
        nonlocal left
        if not left:
            raise Killed
        left -= 1
        keep(self, user, logins)

    with monkeypatch.context() as patched:
        patched.setattr(LoginFiles, "keep", keep_some)
        with pytest.raises(Killed):
            await run(rotation)
    for user in ("tenancy", "identity"):
        file = nats_file(platform.folder, user)
        await end(await process_of(platform.nats.url, user, file))
    async with platform.load():
        await run(rotation)

    assert platform.failures == []
    assert not await platform.accepts(former)
    assert all(len(rotation.logins.of_user(user)) == 1 for user in NATS_USERS)


@pytest.mark.long
async def test_calls_are_held_for_as_long_as_it_takes(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy server may read its configuration for longer than one message holds calls."""
    monkeypatch.setattr(nats_passwords, "LONGEST", 2.0)
    hold, logins = platform.gateway.bus.hold, rotation_of(platform).logins.of_user("cli")
    async with nats_passwords.held(platform.nats.url, logins):
        await asyncio.sleep(4)
        assert hold.holds

    await until(lambda: not hold.holds)


async def test_only_nats_gets_the_signal(platform: Platform, tmp_path: Path) -> None:
    """A process that is something else is refused before a file changes: the signal would end it."""
    rotation = rotation_of(platform)
    before = rotation.logins.of_user("rbac")
    wrong = NatsRotation(rotation.url, rotation.logins, process=1)
    with pytest.raises(CommandError, match="not nats-server"):
        await run(wrong)

    assert rotation.logins.of_user("rbac") == before


async def test_one_rotation_at_a_time(platform: Platform) -> None:
    """A second one is refused, and changes nothing."""
    rotation = rotation_of(platform)
    with rotation._lock(), pytest.raises(CommandError, match="Another rotation"):
        await run(rotation)

    assert [len(rotation.logins.of_user(user)) for user in NATS_USERS] == [1] * len(NATS_USERS)
