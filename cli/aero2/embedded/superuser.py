"""The password of the superuser of a data folder, after a change that was interrupted (docs/adr/0036)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import asyncpg

from aero2.embedded.folder import Folder
from aero2.embedded.rotation_lock import Locked, rotation_lock
from aero2.embedded.secrets import stored
from aero2.migrate import scram_verifier


async def undo_change(folder: Folder, url: Callable[[str], str]) -> None:
    """Gives the superuser the password of `secrets.json` again, if the server has the next one already: the
    change was interrupted, and the platform starts with the former one. `aero2 secrets rotate owner` repeats it.
    Does nothing while that command runs. `url` returns the DSN with a password."""
    secrets = stored(folder)
    superuser, following = secrets.get("superuser"), secrets.get("next_superuser")
    if not superuser or not following:
        return
    with contextlib.suppress(OSError, asyncpg.PostgresError, TimeoutError, Locked):
        with rotation_lock(folder):
            db = await asyncpg.connect(url(following), timeout=10)
            try:
                await db.execute(f"ALTER ROLE postgres PASSWORD '{scram_verifier(superuser)}'")
            finally:
                await db.close()
