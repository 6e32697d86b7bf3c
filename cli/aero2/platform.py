"""The processes that make up the platform on one machine, and their configuration."""

from __future__ import annotations

import os
import signal
import socket
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from aero2 import nats_access, stream_watchdog
from aero2.callout_program import callout
from aero2.embedded.caddy import Caddy, reachable
from aero2.embedded.folder import Folder
from aero2.embedded.nats import Nats
from aero2.embedded.password_files import database_variables, nats_file, write_password_files
from aero2.embedded.ports import Ports
from aero2.embedded.postgres import Postgres
from aero2.embedded.secrets import Secrets
from aero2.environment import JOBS, SMTP, inherited, public_url, sends_mail, unless_set
from aero2.mailcatcher_program import mail_catcher
from aero2.program import (
    GATEWAY,
    PROXY,
    SERVERS,
    SERVICES,
    Program,
    Ready,
    answers,
    heartbeat_ready,
)
from aero2.together_programs import process_names, together


@dataclass(frozen=True)
class Platform:
    """The platform of one data folder. `domain` is the apex host without its port."""

    folder: Folder
    secrets: Secrets
    ports: Ports
    port: int
    host: str
    domain: str
    tls: bool = False
    public: socket.socket | None = None
    """The open public port. It stays open when the gateway restarts, so connections wait."""

    idps: str = ""
    """Identity providers of the Dashboard, as in AERO2_DASHBOARD_IDPS."""
    together: bool = False
    """One process runs all services, instead of a process for each."""
    workers: int = 1
    """How many such processes there are. They share the open ports."""

    @property
    def scheme(self) -> str:
        return "https" if self.tls else "http"

    @property
    def authority(self) -> str:
        """The apex with its port, as it stands in an address."""
        return urlsplit(self.public_url).netloc

    @property
    def public_url(self) -> str:
        return public_url(self.domain, self.port, tls=self.tls)

    @property
    def mail_url(self) -> str | None:
        """Where mail can be read; None if it is sent through a server of the operator."""
        if sends_mail():
            return None
        return f"http://localhost:{self.ports.number['mail']}"

    @cached_property
    def postgres(self) -> Postgres:
        return Postgres(self.folder, self.ports.number["postgres"], self.secrets.superuser)

    @cached_property
    def nats(self) -> Nats:
        return Nats(self.folder, self.ports.number["nats"])

    @cached_property
    def caddy(self) -> Caddy | None:
        if not self.tls:
            return None
        return Caddy(self.folder, self.host, self.port, self.ports.number["gateway"], self.domain)

    @property
    def _gateway(self) -> tuple[str, int]:
        """Where the gateway listens: on the public address, or on loopback behind Caddy."""
        return ("127.0.0.1", self.ports.number["gateway"]) if self.tls else (self.host, self.port)

    @property
    def _gateway_origin(self) -> str:
        """The gateway's address for other processes of this machine. It speaks HTTP, behind Caddy too."""
        host, port = self._gateway
        address = reachable(host)
        return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"

    @property
    def _public_sockets(self) -> tuple[socket.socket, ...]:
        if self.tls:
            return (self.ports.sockets["gateway"],)
        return (self.public,) if self.public else ()

    def servers(self) -> list[Program]:
        env = dict(os.environ)
        return [
            Program(
                "postgres",
                self.postgres.command(),
                env,
                ready=self.postgres.ready,
                prepare=self.postgres.prepare,
                under=self.postgres.under_account(),
                stop_with=signal.SIGINT,  # fast shutdown; SIGTERM would wait for clients
                stage=SERVERS,
            ),
            Program(
                "nats",
                self.nats.command(),
                env,
                ready=self.nats.ready,
                prepare=self.nats.prepare,
                stage=SERVERS,
            ),
        ]

    def services(self) -> list[Program]:
        """Returns every service, the mail catcher and the proxy. Writes the files of their passwords."""
        write_password_files(self.folder, self.secrets)
        services = self._together() if self.together else map(self._service, nats_access.SERVICES)
        catchers = [] if sends_mail() else [mail_catcher(self.ports)]
        proxies = [self._proxy(self.caddy)] if self.caddy else []
        heartbeat = self.folder.run / f"{nats_access.CALLOUT}.heartbeat"
        callouts = callout(self._common(nats_access.CALLOUT), heartbeat)
        return [*services, *callouts, *catchers, *proxies]

    def _service(self, name: str) -> Program:
        heartbeat = self.folder.run / f"{name}.heartbeat"
        env = inherited() | self._environment_of(name) | {"AERO2_HEARTBEAT": str(heartbeat)}
        return Program(
            name,
            [sys.executable, "-m", name],
            env,
            ready=self._gateway_ready(heartbeat)
            if name == "gateway"
            else heartbeat_ready(heartbeat),
            heartbeat=heartbeat,
            sockets=self._gateway_sockets if name == "gateway" else (),
            services=(name,),
            stop_with=signal.SIGINT,
            stage=GATEWAY if name == "gateway" else SERVICES,
        )

    def _together(self) -> list[Program]:
        return together(
            process_names(self.workers),
            {name: self._environment_of(name) for name in nats_access.SERVICES},
            lambda name: self.folder.run / f"{name}.heartbeat",
            ready=self._gateway_ready,
            sockets=self._gateway_sockets,
        )

    def _environment_of(self, name: str) -> dict[str, str]:
        """Returns the variables of a service in a process of its own, without those of the operator."""
        env = self._common(name)
        if name == "gateway":
            env |= self._gateway_environment()
        if name in JOBS:
            env |= database_variables(self.postgres, name, JOBS[name])
        if name == "tenancy":
            keys = str(self.folder.root / "dashboard-keys.json")
            env |= unless_set({"AERO2_BOOTSTRAP_KEYS_FILE": keys})
        if self.domain == "localhost":
            # Clients under development listen on this very machine.
            env |= unless_set({"AERO2_EGRESS_PRIVATE": "true"})
        return env

    def _gateway_environment(self) -> dict[str, str]:
        host, port = self._gateway
        metrics_port = os.environ.get("AERO2_METRICS_PORT", str(self.ports.number["metrics"]))
        env = {"AERO2_HOST": host, "AERO2_PORT": str(port), "AERO2_METRICS_PORT": metrics_port}
        if public := self._public_sockets:
            env["AERO2_LISTEN_FD"] = str(public[0].fileno())
        if metrics := self.ports.sockets.get("metrics"):
            env["AERO2_METRICS_LISTEN_FD"] = str(metrics.fileno())
        env |= unless_set({"AERO2_LAME_DUCK": "0"})  # its successor has the same port
        if self.tls:
            more = os.environ.get("AERO2_TRUSTED_PROXIES")
            env["AERO2_TRUSTED_PROXIES"] = f"127.0.0.1/32,{more}" if more else "127.0.0.1/32"
        return env

    @property
    def _gateway_sockets(self) -> tuple[socket.socket, ...]:
        """The open sockets of the gateway: its port, and the port of its metrics."""
        metrics = self.ports.sockets.get("metrics")
        return (*self._public_sockets, metrics) if metrics else self._public_sockets

    def _common(self, user: str) -> dict[str, str]:
        return {
            "AERO2_NATS_URL": self.nats.url,
            "AERO2_NATS_USER": user,
            "AERO2_NATS_PASSWORD_FILE": str(nats_file(self.folder, user)),
            "AERO2_MASTER_KEY": self.secrets.master_key,
            "AERO2_PUBLIC_URL": self.public_url,
            "PYTHONUNBUFFERED": "1",
            "AERO2_METRICS_PORT": "0",  # of this machine's processes only the gateway listens
            "AERO2_METRICS_FOLDER": str(self.folder.run),
            "AERO2_REPLICA": "0",
            "AERO2_DASHBOARD_IDPS": self.idps or os.environ.get("AERO2_DASHBOARD_IDPS", ""),
        } | unless_set(
            {
                "AERO2_METRICS_HOST": "127.0.0.1",
                "AERO2_GATEWAY_ADDRESS": self._gateway_origin,
                SMTP: f"smtp://127.0.0.1:{self.ports.number['smtp']}?tls=none",
                "AERO2_MAIL_FROM": f"Aero2 <no-reply@{self.domain}>",
            }
        )

    def _proxy(self, caddy: Caddy) -> Program:
        return Program(
            "proxy",
            caddy.command(),
            dict(os.environ),
            ready=caddy.ready,
            prepare=caddy.prepare,
            stage=PROXY,
        )

    def _gateway_ready(self, heartbeat: Path) -> Ready:
        """Returns a check whether the gateway answers. It also asks for our heartbeat, since another
        program may answer on the port."""
        ours = heartbeat_ready(heartbeat)

        async def ready() -> bool:
            host, port = self._gateway
            return await ours() and await answers(port, "/health", self.authority, reachable(host))

        return ready

    async def relay_state(self) -> str | None:
        """Returns what the gateway's health says of the relays, or None if it does not answer."""
        return await stream_watchdog.relay_state(self._gateway_origin, self.authority)
