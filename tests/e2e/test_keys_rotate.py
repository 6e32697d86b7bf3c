"""`aero2 keys rotate` against a running platform."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.kit.system import System


def rotate(system: System, *arguments: str) -> subprocess.CompletedProcess[str]:
    return system.deployment.command("keys", "rotate", *arguments)


async def kids(system: System) -> set[str]:
    async with system.http() as http:
        answer = await http.get("/oauth2/jwks.json")
    return {key["kid"] for key in answer.json()["keys"]}


async def test_the_next_keys_are_published_at_once(system: System) -> None:
    """Every gateway publishes the next keys at once, together with those that sign today."""
    before = await kids(system)
    done = rotate(system, system.demo["slug"], "--alg", "ES256")
    assert done.returncode == 0, done.stderr
    after = await kids(system)

    assert before < after
    assert len(after - before) == 1
    assert (after - before).pop() in done.stdout

    again = rotate(system, system.demo["slug"], "--alg", "ES256")
    assert again.returncode == 3
    assert "No new key for ES256" in again.stderr
    assert await kids(system) == after


def test_an_unknown_application_is_a_sentence(system: System) -> None:
    """An unknown application is answered by a sentence, without a traceback."""
    done = rotate(system, "no-such-app")

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "this application does not exist" in done.stderr.lower()


async def test_the_data_folder_is_enough(system: System) -> None:
    """The data folder of `aero2 up` is enough: the command needs no addresses or passwords."""
    before = await kids(system)
    folder = str(system.deployment.folder)
    command = [sys.executable, "-m", "aero2", "keys", "rotate", system.demo["slug"]]
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AERO2_")}
    done = subprocess.run(
        [*command, "--data-dir", folder, "--alg", "RS256"],
        env=bare,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert len(await kids(system) - before) == 1


def test_no_deployment_is_a_sentence(tmp_path: Path) -> None:
    """Without a variable and a data folder, the command says what is missing and creates nothing."""
    command = [sys.executable, "-m", "aero2", "keys", "rotate", "demo", "--data-dir", "x"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 1
    assert "which deployment" in done.stderr
    assert not list(tmp_path.iterdir())
