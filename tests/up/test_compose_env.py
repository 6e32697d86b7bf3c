"""The secrets of docker-compose.yml."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from aero2.compose_env import write
from aero2.failures import CommandError
from common.crypto import Keys

ROOT = Path(__file__).parents[2]


def values(file: Path) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
    return {name: value.strip("'") for name, value in pairs}


def test_fresh_and_private(tmp_path: Path) -> None:
    """Two files have no secret in common, and only the owner can read them."""
    for name in ("a", "b"):
        write(tmp_path / name, "https://id.example.com", force=False)
    first, second = values(tmp_path / "a"), values(tmp_path / "b")
    secrets = [name for name in first if name.endswith(("PASSWORD", "KEY"))]

    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    assert len(secrets) >= 13
    assert all(first[name] != second[name] for name in secrets)
    assert Keys.parse(first["AERO2_MASTER_KEY"])
    assert first["AERO2_MAIL_FROM"] == "Aero2 <no-reply@id.example.com>"


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    """Its secrets open a database, so only --force replaces it."""
    file = tmp_path / ".env"
    write(file, "http://localhost:8080", force=False)
    before = file.read_text()
    with pytest.raises(CommandError, match="--force"):
        write(file, "http://localhost:8080", force=False)

    assert file.read_text() == before
    assert [found.name for found in tmp_path.iterdir()] == [".env"]
    write(file, "http://localhost:8080", force=True)
    assert file.read_text() != before


@pytest.mark.parametrize("url", ["id.example.com", "ftp://x", "https://x/path", ""])
def test_what_is_not_an_origin_is_refused(tmp_path: Path, url: str) -> None:
    """If the services would refuse the address, no file is written."""
    with pytest.raises(CommandError, match="not an origin"):
        write(tmp_path / ".env", url, force=False)

    assert not list(tmp_path.iterdir())


def test_every_variable_of_the_compose_file_is_made(tmp_path: Path) -> None:
    """The file has every variable that docker-compose.yml needs. No secret has a default there."""
    write(tmp_path / ".env", "http://localhost:8080", force=False)
    compose = (ROOT / "docker-compose.yml").read_text()
    insisted = set(re.findall(r"\$\{(\w+):\?", compose))
    defaulted = set(re.findall(r"\$\{(\w+):-", compose))

    assert insisted
    assert insisted <= values(tmp_path / ".env").keys()
    assert not {name for name in defaulted if re.search("PASSWORD|KEY|SECRET", name)}
