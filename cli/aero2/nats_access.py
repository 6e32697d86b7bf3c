"""The rights of each user on the bus: the one source of deploy/nats.conf and of the embedded server.

A service may call the contracts that its code names, and no others; as the system it may make the
calls that its code makes as the system. It may answer its own. So the rights follow the code, and
a test keeps deploy/nats.conf equal to what stands here.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import common
from aero2.contract_uses import PACKAGE, contract_uses
from common.bus import SYSTEM_SUBJECT
from common.call_hold import SUBJECT as HOLD
from common.contracts.base import CONTRACTS, SYSTEM
from common.nats_logins import second_login

IMPORTING: Final = threading.Lock()
"""A thread holds this lock while it imports services. Two such threads could see each other's
modules half initialized."""
SERVICES: Final = ("gateway", "identity", "oidc", "rbac", "tenancy")
CLI: Final = "cli"
CALLOUT: Final = "callout"
"""The user of the process that NATS servers of customers ask (`python -m callout`). It only calls."""
STREAM_ADMIN: Final = "stream-admin"
"""A user of a cluster, for the operator: may change how many servers keep a copy of the stream. Nobody else
may change a stream that exists."""
STREAM: Final = "AUDIT"
AUDIT: Final = "audit.>"
CHANGED: Final = "changed.>"
DISCOVERY: Final = "$SRV.>"
"""`nats micro ls`: every service answers. Only the command line may ask everything."""
CONNECTIONS: Final = "$SYS.REQ.ACCOUNT.PING.CONNZ"
"""Which users are connected, of our own account: the command line asks while a password is replaced."""
FIGURES: Final = ("$SRV.STATS", "$SRV.INFO")
"""The gateway asks all services for these, for operators."""


@dataclass(frozen=True)
class Rights:
    """The subjects that one NATS user may publish and subscribe to."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def inbox(user: str) -> str:
    """Returns the prefix of a user's replies. With the usual `_INBOX`, each user could read the
    replies of all."""
    return f"_INBOX_{user}"


def rights(user: str) -> Rights:
    """Returns the rights that `user` (a service, the command line, CALLOUT or STREAM_ADMIN) needs, and no
    more."""
    if user == STREAM_ADMIN:
        questions = ("STREAM.INFO", "STREAM.UPDATE", "CONSUMER.NAMES")
        return Rights(
            publish=tuple(f"$JS.API.{question}.{STREAM}" for question in questions),
            subscribe=(f"{inbox(user)}.>",),
        )
    calls = sorted(_called_by(user))
    if user == CALLOUT:
        heard = (f"{user}.>", f"{SYSTEM_SUBJECT}{user}.>", DISCOVERY, CHANGED, f"{inbox(user)}.>")
        return Rights(publish=tuple(calls), subscribe=heard)
    stream = ("$JS.API.INFO", f"$JS.API.STREAM.INFO.{STREAM}", f"$JS.API.STREAM.CREATE.{STREAM}")
    if user == CLI:
        return _rights_of_command_line(calls, stream)
    publish, hears = [*calls, f"audit.{user}.>", CHANGED, *stream], []
    if user == "tenancy":  # seals what was relayed, soon after
        hears = [AUDIT]
        publish.append(f"$JS.API.STREAM.PURGE.{STREAM}")  # what is left of a deleted application
        publish.append(f"$JS.API.STREAM.MSG.GET.{STREAM}")  # `aero2 stream refill`: what is missing
    if user == "gateway":  # the live log: told that there is something new, reads it by number
        hears = [AUDIT, HOLD]
        publish += [f"$JS.API.STREAM.MSG.GET.{STREAM}", *FIGURES]
    return Rights(
        publish=tuple(publish),
        subscribe=(
            f"{user}.>",
            f"{SYSTEM_SUBJECT}{user}.>",
            DISCOVERY,
            CHANGED,
            *hears,
            f"{inbox(user)}.>",
        ),
    )


def _rights_of_command_line(calls: list[str], stream: tuple[str, ...]) -> Rights:
    consumer = (f"$JS.API.CONSUMER.*.{STREAM}", f"$JS.API.CONSUMER.*.{STREAM}.>")
    return Rights(
        publish=(
            *calls,
            DISCOVERY,
            CONNECTIONS,
            HOLD,
            CHANGED,
            *stream,
            *consumer,
            f"$JS.ACK.{STREAM}.>",
        ),
        subscribe=(f"{inbox(CLI)}.>", CHANGED, AUDIT),
    )


def fingerprint() -> list[tuple[str, int, int]]:
    """Returns the versions of all files from which the rights are computed."""
    files = {file for user in (*SERVICES, CLI, CALLOUT) for file in _sources(user)} | set(
        _contracts()
    )
    found = [(file, file.stat()) for file in sorted(files)]
    return [(str(file), stat.st_mtime_ns, stat.st_size) for file, stat in found]


def _called_by(user: str) -> Iterator[str]:
    """Yields the subjects of the contracts that the user's code names, and the system's subjects of
    those that it sends as the system. A contract that needs SYSTEM is sent only in this way."""
    found = [contract_uses(file) for file in _sources(user)]
    as_system = {pair for each in found for pair in each.as_system}
    otherwise = {pair for each in found for pair in each.otherwise}
    with IMPORTING:
        for file in _contracts():
            importlib.import_module(f"{PACKAGE}.{file.stem}")
    for subject, contract in CONTRACTS.items():
        pair = (contract.__module__.rpartition(".")[2], contract.__name__)
        if subject.startswith(f"{user}."):
            continue
        if pair in as_system or (pair in otherwise and contract.needs == SYSTEM):
            yield SYSTEM_SUBJECT + subject
        if pair in otherwise and contract.needs != SYSTEM:
            yield subject


def _contracts() -> list[Path]:
    folders = [Path(place) / "contracts" for place in common.__path__]
    return [file for folder in folders for file in sorted(folder.glob("[a-z]*.py"))]


def _sources(user: str) -> list[Path]:
    """The user's own code, and the parts of common that call on everybody's behalf."""
    package = importlib.import_module("aero2" if user == CLI else user)
    roots = [Path(place) for place in package.__path__]
    roots += [Path(place) for place in common.__path__]
    return [
        file
        for root in roots
        for file in sorted(root.rglob("*.py"))
        if "contracts" not in file.relative_to(root).parts and file.name != "testing.py"
    ]


def configuration(passwords: Mapping[str, str], *, server: str, accounts: str = "") -> str:
    """nats.conf: `server` says where to listen and store, `passwords` is a literal or a `$NAME`
    of the environment for each user. A user may have a second login, with the same rights. `accounts`
    are those beside the one of the services."""
    others = tuple(user for user in (CALLOUT, STREAM_ADMIN) if user in passwords)
    users = "\n".join(
        _user(login, passwords[login], may)
        for user in (*SERVICES, CLI, *others)
        for may in [rights(user)]
        for login in (user, second_login(user))
        if login in passwords
    )
    return f"{server.strip()}\n\n{LIMITS}\naccounts {{\n{accounts}  AERO2 {{\n    jetstream: enabled\n    users: [\n{users}\n    ]\n  }}\n}}\n"


LIMITS: Final = """\
max_payload: 1MB
max_connections: 1000
write_deadline: "5s"
lame_duck_duration: "30s"
"""


def _user(login: str, password: str, may: Rights) -> str:
    return f"""\
      {{
        user: {login}
        password: {password}
        permissions {{
          publish {{ allow: {_listed(may.publish)} }}
          subscribe {{ allow: {_listed(may.subscribe)} }}
          allow_responses {{ max: 1, expires: "60s" }}
        }}
      }}"""


def _listed(subjects: tuple[str, ...]) -> str:
    lines = "".join(f'\n            "{subject}"' for subject in subjects)
    return f"[{lines}\n          ]"


COMPOSE: Final = """\
# Who may say what on the bus. Written by `make nats-conf` from the contracts that each service's
# code names; a test keeps it so. One user per service: it may call what its code calls, answer its
# own subjects, and read only its own replies (`_INBOX_<user>`). `system.…` are the calls that it
# makes as the system and not for a caller. The caller in a message's Context is believed because
# of these rules, so keep them when you change the rest.
server_name: aero2
listen: "0.0.0.0:4222"
http: "127.0.0.1:8222"
jetstream {
  store_dir: "/data/jetstream"
  max_file_store: 16GB
  max_memory_store: 64MB
  # An acknowledged event is on the disk: with the default an OS crash could lose the stream.
  sync_interval: always
}
"""


def compose_configuration() -> str:
    """deploy/nats.conf: passwords come from the environment."""
    return configuration(password_variables(), server=COMPOSE)


def password_variables() -> dict[str, str]:
    """Returns NATS_<USER>_PASSWORD for each user, as nats.conf refers to the environment."""
    return {user: f"$NATS_{user.upper()}_PASSWORD" for user in (*SERVICES, CLI, CALLOUT)}
