"""The Dashboard's API for the commands that manage applications: its address and its secret key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote, urlsplit

import httpx
import typer

from aero2.api import client
from aero2.embedded.folder import Folder
from aero2.failures import CommandError
from aero2.secret_variables import secret_of

KEYS: Final = "dashboard-keys.json"
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Data folder of a running `aero2 up`. Without it: the Dashboard at AERO2_URL with "
        "its key AERO2_SECRET_KEY, else .aero2."
    ),
]


def dashboard(folder: Path | None = None) -> httpx.Client:
    """The Dashboard at AERO2_URL; else, or with `folder`, the one of that data folder."""
    url, key, ca = address(folder)
    return client(url, key, ca=ca)


def address(folder: Path | None = None) -> tuple[str, str, Path | None]:
    """Returns the Dashboard's origin, its secret key, and the certificate authority to trust if it is not one
    of the system's. Raises CommandError."""
    url, key = os.environ.get("AERO2_URL"), secret_of("AERO2_SECRET_KEY")
    if folder is not None or (url is None and not key):
        return _of_folder(folder or Path(".aero2"))
    if not url or not key:
        missing = "AERO2_SECRET_KEY" if url else "AERO2_URL"
        raise CommandError(f"{missing} is not set: AERO2_URL and AERO2_SECRET_KEY belong together.")
    return url, key, None


def at(slug: str, noun: str) -> str:
    """The path of an application's `noun`."""
    return f"/api/applications/{quote(slug, safe='')}/{noun}"


def _of_folder(path: Path) -> tuple[str, str, Path | None]:
    """Raises CommandError where `aero2 up` has never run on the folder."""
    if not (path / "lock").is_file():
        raise CommandError(
            f"AERO2_URL is not set, and {path} is no data folder of `aero2 up`: which deployment "
            "is meant?"
        )
    folder = Folder.at(path)
    url, key = folder.url, folder.read(KEYS).get("secret_key")
    if url is None or key is None:
        raise CommandError(f"{folder.root} has no {KEYS} yet: wait until `aero2 up` is ready.")
    parts = urlsplit(url)
    ca = folder.root / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    dashboard_url = f"{parts.scheme}://dashboard.{parts.netloc}"
    return dashboard_url, key, ca if parts.scheme == "https" else None
