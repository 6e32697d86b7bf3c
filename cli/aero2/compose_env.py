"""`aero2 compose-env`: the settings and secrets of docker-compose.yml, all of them fresh.

Settings stand in `.env`. Each secret is a file of a folder beside it, which compose mounts into the containers that
need it, so that a password can be replaced without a restart (docs/adr/0026).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aero2.embedded.secrets import DATABASE_ROLES, NATS_USERS, master_key, password
from aero2.failures import CommandError

HEAD: Final = """\
# Settings of docker-compose.yml, made by `aero2 compose-env`. Secrets are files in AERO2_SECRETS. Keep a copy of
# them where you keep secrets: without AERO2_MASTER_KEY, nobody can read the secrets in the database.
"""
FORMER_HEAD: Final = """\
# Secrets of docker-compose.yml, made by `aero2 compose-env`. Keep a copy where you keep secrets:
# without AERO2_MASTER_KEY the database's secrets cannot be read, and nobody can make it again.
"""
"""The head of files of version 0.1, which had the secrets in them."""
FOLDER: Final = "AERO2_SECRETS"
MAIL_CATCHER: Final = "smtp://mail:1025?tls=none"
IRREPLACEABLE: Final = ("AERO2_MASTER_KEY", "POSTGRES_PASSWORD")
"""Without these, a database that exists cannot be opened."""


def fresh_secrets() -> dict[str, str]:
    """Returns every secret of docker-compose.yml by its name."""
    secrets = {"AERO2_MASTER_KEY": master_key(), "POSTGRES_PASSWORD": password()}
    for role in DATABASE_ROLES:
        secrets[f"AERO2_{role.upper()}_PASSWORD"] = password()
    for user in NATS_USERS:
        secrets[f"NATS_{user.upper()}_PASSWORD"] = password()
    secrets["NATS_SYSTEM_PASSWORD"] = password()  # of the operator of deploy/cluster
    secrets["AERO2_SMTP_URL"] = MAIL_CATCHER
    return secrets


def settings(public_url: str, folder: str) -> str:
    """Returns the content of .env: the folder of the secrets, and the settings that go with the address people will
    use. Raises CommandError if that is no origin."""
    address = urlsplit(public_url)
    if address.scheme not in ("http", "https") or not address.hostname or address.path.strip("/"):
        raise CommandError(f"{public_url!r} is not an origin like https://id.example.com.")
    lines = {
        "AERO2_PUBLIC_URL": f"{address.scheme}://{address.netloc}",
        "AERO2_HTTP_PORT": str(address.port or 8080),
        "AERO2_MAIL_FROM": f"Aero2 <no-reply@{address.hostname}>",
        FOLDER: folder,
    }
    return HEAD + "".join(f"{name}='{value}'\n" for name, value in lines.items())


def write(path: Path, public_url: str, *, force: bool) -> Path:
    """Writes .env and the folder of the secrets beside it, and returns the folder. Raises CommandError if one of
    them is there already: the secrets open a database."""
    folder = path.with_name("secrets")
    text = settings(public_url, _named(folder))
    if path.exists() and not force:
        raise CommandError(
            f"{path} is there already, and its secrets open your database; --force replaces them, for a "
            "deployment without data. If its secrets stand in it, --move makes files of them."
        )
    write_secrets(folder, fresh_secrets(), force=force)
    _replace(path, text, 0o600)
    return folder


def move(path: Path) -> Path:
    """Makes files of the secrets that stand in an .env of version 0.1, and returns their folder. Everything else
    stays in .env. Can be run again if it was interrupted. Raises CommandError."""
    folder = path.with_name("secrets")
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    values = {name: value for line in lines for name, value in [_assignment(line)] if value}
    if FOLDER in values:
        raise CommandError(f"The secrets of {path} are files already: {values[FOLDER]}.")
    if missing := [name for name in IRREPLACEABLE if name not in values]:
        raise CommandError(f"{path} has no {' and no '.join(missing)}.")
    fresh = fresh_secrets()
    # An older file may lack some: these are made afresh, and stay the same if this is run again.
    kept = {name: values.get(name) or _stored(folder / name) or fresh[name] for name in fresh}
    write_secrets(folder, kept, force=False)
    former = FORMER_HEAD.splitlines()
    rest = [line for line in lines if _assignment(line)[0] not in kept and line not in former]
    _replace(path, HEAD + "\n".join([*rest, f"{FOLDER}='{_named(folder)}'\n"]), 0o600)
    return folder


def write_secrets(folder: Path, secrets: Mapping[str, str], *, force: bool) -> None:
    """Writes a file for each secret, the folder completely or not at all. Raises CommandError if it is there with
    other secrets, unless `force` replaces them."""
    if folder.exists() and not force:
        if all(_stored(folder / name) == value for name, value in secrets.items()):
            return
        raise CommandError(
            f"{folder} is there already, and the secrets in it may open your database; --force replaces them, "
            "for a deployment without data."
        )
    place = folder if folder.exists() else folder.with_name(f"{folder.name}.new")
    place.mkdir(mode=0o700, exist_ok=True)
    place.chmod(0o700)
    for name, value in secrets.items():
        # Containers read the file under accounts of their own. On this machine, the folder lets nobody through.
        _replace(place / name, f"{value}\n", 0o644)
    if place != folder:
        place.rename(folder)


def _named(folder: Path) -> str:
    """Returns the folder as docker-compose.yml finds it, also after the project has moved."""
    return f"./{folder.name}" if folder.parent == Path() else str(folder.absolute())


def _assignment(line: str) -> tuple[str, str]:
    """Returns name and value of a line of .env, or two empty texts."""
    name, equals, value = line.partition("=")
    if not equals or line.lstrip().startswith("#"):
        return "", ""
    value = value.strip()
    if value[:1] in ("'", '"') and value[:1] == value[-1:]:
        return name.strip(), value[1:-1]
    return name.strip(), value.partition(" #")[0].rstrip()


def _stored(file: Path) -> str:
    """Returns a secret that is there, or an empty text."""
    return file.read_text().removesuffix("\n") if file.is_file() else ""


def _replace(path: Path, text: str, mode: int) -> None:
    """Writes a file completely or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    fresh.replace(path)
