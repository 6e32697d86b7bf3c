"""The settings and secrets of docker-compose.yml."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from aero2.compose_env import FORMER_HEAD, fresh_secrets, move, write
from aero2.failures import CommandError
from common.crypto import Keys

ROOT = Path(__file__).parents[2]
URL = "http://localhost:8080"


def values(file: Path) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
    return {name: value.strip("'") for name, value in pairs}


def secrets_in(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text().removesuffix("\n") for file in folder.iterdir()}


def test_fresh_and_private(tmp_path: Path) -> None:
    """Two deployments have no secret in common, and only the owner can read them: the files through the mode of
    their folder, because containers read them under other accounts."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / ".env", "https://id.example.com", force=False)
    first, second = (secrets_in(tmp_path / name / "secrets") for name in ("a", "b"))
    fresh = [name for name in first if name.endswith(("PASSWORD", "KEY"))]

    assert stat.S_IMODE((tmp_path / "a" / ".env").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "a" / "secrets").stat().st_mode) == 0o700
    assert {stat.S_IMODE(f.stat().st_mode) for f in (tmp_path / "a/secrets").iterdir()} == {0o644}
    assert len(fresh) >= 13
    assert all(first[name] != second[name] for name in fresh)
    assert Keys.parse(first["AERO2_MASTER_KEY"])
    settings = values(tmp_path / "a" / ".env")
    assert settings["AERO2_MAIL_FROM"] == "Aero2 <no-reply@id.example.com>"
    assert not set(first.values()) & set(settings.values())


def test_the_folder_is_named_as_compose_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside docker-compose.yml by a path that goes along when the project moves; elsewhere by its whole path."""
    monkeypatch.chdir(tmp_path)
    write(Path(".env"), URL, force=False)
    assert values(Path(".env"))["AERO2_SECRETS"] == "./secrets"
    (tmp_path / "other").mkdir()
    write(tmp_path / "other" / ".env", URL, force=False)
    named = values(tmp_path / "other" / ".env")["AERO2_SECRETS"]
    assert named == str(tmp_path / "other" / "secrets")


def test_existing_secrets_are_kept(tmp_path: Path) -> None:
    """They open a database, so only --force replaces them. This is true for the folder alone, too."""
    file, folder = tmp_path / ".env", tmp_path / "secrets"
    write(file, URL, force=False)
    before, text = secrets_in(folder), file.read_text()
    with pytest.raises(CommandError, match="--force"):
        write(file, URL, force=False)
    file.unlink()
    with pytest.raises(CommandError, match="--force"):
        write(file, URL, force=False)

    assert secrets_in(folder) == before
    assert [found.name for found in tmp_path.iterdir()] == ["secrets"]
    (folder / "github").write_text("of somebody else")
    write(file, URL, force=True)
    assert file.read_text() == text
    assert secrets_in(folder).items() & before.items() == {
        ("AERO2_SMTP_URL", before["AERO2_SMTP_URL"])
    }
    assert (folder / "github").read_text() == "of somebody else"


@pytest.mark.parametrize("url", ["id.example.com", "ftp://x", "https://x/path", ""])
def test_what_is_not_an_origin_is_refused(tmp_path: Path, url: str) -> None:
    """If the services would refuse the address, no file is written."""
    with pytest.raises(CommandError, match="not an origin"):
        write(tmp_path / ".env", url, force=False)

    assert not list(tmp_path.iterdir())


def former_file(folder: Path) -> tuple[Path, dict[str, str]]:
    """Writes an .env as version 0.1 did, with settings of an operator. Returns it and its secrets."""
    secrets = fresh_secrets() | {"AERO2_SMTP_URL": "smtp://u:p=x@mail.example.com"}
    lines = [f"{name}='{value}'" for name, value in secrets.items() if "SYSTEM" not in name]
    file = folder / ".env"
    own = "# ours\nAERO2_PUBLIC_URL='https://id.example.com'\nCOMPOSE_PROFILES=together\n"
    file.write_text(FORMER_HEAD + "\n".join(lines) + "\n" + own)
    return file, secrets


def test_secrets_move_out_of_an_earlier_file(tmp_path: Path) -> None:
    """Each is the same as before, settings and comments stay, and a second run changes nothing."""
    file, secrets = former_file(tmp_path)
    move(file)
    moved, settings = secrets_in(tmp_path / "secrets"), values(file)

    assert moved.keys() == secrets.keys()
    assert moved | {"NATS_SYSTEM_PASSWORD": secrets["NATS_SYSTEM_PASSWORD"]} == secrets
    assert settings == {
        "AERO2_PUBLIC_URL": "https://id.example.com",
        "COMPOSE_PROFILES": "together",
        "AERO2_SECRETS": str(tmp_path / "secrets"),
    }
    assert "# ours" in file.read_text()
    assert FORMER_HEAD.splitlines()[1] not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(CommandError, match="files already"):
        move(file)
    assert secrets_in(tmp_path / "secrets") == moved


def test_a_move_that_was_killed_is_finished(tmp_path: Path) -> None:
    """Between the folder and .env: the next run finds the same secrets, also one that it had made afresh."""
    file, _ = former_file(tmp_path)
    before = file.read_text()
    move(file)
    after, moved = file.read_text(), secrets_in(tmp_path / "secrets")
    file.write_text(before)
    move(file)

    assert file.read_text() == after
    assert secrets_in(tmp_path / "secrets") == moved


@pytest.mark.parametrize("lost", ["AERO2_MASTER_KEY", "POSTGRES_PASSWORD"])
def test_a_file_without_what_opens_the_database_is_not_moved(tmp_path: Path, lost: str) -> None:
    """A fresh one would not open the database that is there."""
    file, _ = former_file(tmp_path)
    kept = [line for line in file.read_text().splitlines() if not line.startswith(lost)]
    file.write_text("\n".join(kept))
    with pytest.raises(CommandError, match=lost):
        move(file)

    assert [found.name for found in tmp_path.iterdir()] == [".env"]


def test_another_folder_of_that_name_is_kept(tmp_path: Path) -> None:
    """A folder `secrets` with other files is not overwritten."""
    file, _ = former_file(tmp_path)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "AERO2_MASTER_KEY").write_text("k1:other")
    with pytest.raises(CommandError, match="there already"):
        move(file)

    assert secrets_in(tmp_path / "secrets") == {"AERO2_MASTER_KEY": "k1:other"}
    assert "AERO2_MASTER_KEY" in file.read_text()


def compose_file(place: str = "docker-compose.yml") -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / place).read_text())
    return content


def test_everything_that_the_compose_files_need_is_made(tmp_path: Path) -> None:
    """Settings and secrets of docker-compose.yml, and those of deploy/cluster. No secret has a default, and none
    is a variable."""
    write(tmp_path / ".env", URL, force=False)
    text = (ROOT / "docker-compose.yml").read_text()
    cluster = compose_file("deploy/cluster/docker-compose.nats.yml")
    needed = compose_file()["secrets"].keys() | cluster["secrets"].keys()

    assert set(re.findall(r"\$\{(\w+):\?", text)) == {"AERO2_SECRETS"}
    assert "AERO2_SECRETS" in values(tmp_path / ".env")
    assert needed == secrets_in(tmp_path / "secrets").keys()
    variables = re.findall(r"\$\{(\w+)", text)
    assert not {name for name in variables if re.search("PASSWORD$|KEY$|SECRET$", name)}


@pytest.mark.parametrize("service", sorted(compose_file()["services"]))
def test_a_container_has_the_secrets_that_it_reads(service: str) -> None:
    """No more and no less, so that a gateway has no password of the database. Only the service that replaces
    them has the folder."""
    own = compose_file()["services"][service]
    named = str(own.get("environment", {}))
    read = set(re.findall(r"/run/secrets/(\w+)", named))
    has_folder = any("AERO2_SECRETS" in volume for volume in own.get("volumes", []))

    assert has_folder is (service == "secrets")
    if not has_folder:
        assert set(own.get("secrets", [])) == read
    assert not re.search(r"postgresql://\w+:", named)
