"""`aero2 compose-env`: every secret of docker-compose.yml, fresh, in a file only its owner reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aero2.embedded.secrets import DATABASE_ROLES, NATS_USERS, master_key, password
from aero2.failures import CommandError

HEAD: Final = """\
# Secrets of docker-compose.yml, made by `aero2 compose-env`. Keep a copy where you keep secrets:
# without AERO2_MASTER_KEY the database's secrets cannot be read, and nobody can make it again.
"""


def content(public_url: str) -> str:
    """The file, with the settings that go with the address people will use."""
    address = urlsplit(public_url)
    if address.scheme not in ("http", "https") or not address.hostname or address.path.strip("/"):
        raise CommandError(f"{public_url!r} is not an origin like https://id.example.com.")
    lines = {
        "AERO2_PUBLIC_URL": f"{address.scheme}://{address.netloc}",
        "AERO2_HTTP_PORT": str(address.port or 8080),
        "AERO2_MAIL_FROM": f"Aero2 <no-reply@{address.hostname}>",
        "AERO2_MASTER_KEY": master_key(),
        "POSTGRES_PASSWORD": password(),
    }
    for role in DATABASE_ROLES:
        lines[f"AERO2_{role.upper()}_PASSWORD"] = password()
    for user in NATS_USERS:
        lines[f"NATS_{user.upper()}_PASSWORD"] = password()
    lines["NATS_SYSTEM_PASSWORD"] = password()  # of the operator of deploy/cluster
    return HEAD + "".join(f"{name}='{value}'\n" for name, value in lines.items())


def write(path: Path, public_url: str, *, force: bool) -> None:
    """Raises CommandError where the file is there already: its secrets open a database."""
    text = content(public_url)
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    try:
        if force:
            fresh.replace(path)
        else:
            os.link(fresh, path)
    except FileExistsError:
        raise CommandError(
            f"{path} is there already and its secrets open your database; "
            "--force replaces it, for a deployment without data."
        ) from None
    finally:
        fresh.unlink(missing_ok=True)
