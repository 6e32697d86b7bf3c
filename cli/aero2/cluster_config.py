"""The configuration of three NATS servers that form a cluster: deploy/cluster/nats.conf.

All servers have the same file. The environment gives each its own name. All is in the file and nothing
in flags: a reload forgets what flags said, JetStream too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aero2 import nats_access

HOSTS: Final = ("nats-1", "nats-2", "nats-3")
CLIENT_PORT: Final = 4222
ROUTE_PORT: Final = 6222
SYSTEM_USER: Final = "system"
"""A user of the account $SYS, which sees all servers and no message of the services."""
OPERATOR: Final = (SYSTEM_USER, nats_access.STREAM_ADMIN)
"""The users of the operator. No service has their password."""
PASSWORD: Final = "NATS_SYSTEM_PASSWORD"  # noqa: S105 - the name of a variable
"""The variable with it."""


@dataclass(frozen=True)
class ClusterLayout:
    """Where a server listens and stores, and where the routes to all servers lead."""

    routes: tuple[str, ...] = tuple(f"{host}:{ROUTE_PORT}" for host in HOSTS)
    """`host:port` of each server, this one too. The certificates name the hosts."""
    listen: str = f"0.0.0.0:{CLIENT_PORT}"
    listen_routes: str = f"0.0.0.0:{ROUTE_PORT}"
    monitor: str = "127.0.0.1:8222"
    server_name: str = "$NATS_SERVER_NAME"
    certificates: str = "/etc/nats/certificates"
    """Folder with ca.pem, certificate.pem and key.pem, as `aero2 cluster certificates` makes them."""
    store: str = "/data/jetstream"
    max_file_store: str = "16GB"
    client_tls: bool = True


def deployed_configuration(hosts: tuple[str, ...] = HOSTS, *, client_tls: bool = True) -> str:
    """Returns the file for servers with these hosts. Passwords come from the environment."""
    layout = ClusterLayout(
        routes=tuple(f"{host}:{ROUTE_PORT}" for host in hosts), client_tls=client_tls
    )
    operator = dict.fromkeys(OPERATOR, f"${PASSWORD}")
    passwords = nats_access.password_variables() | operator
    return cluster_configuration(layout, passwords)


def cluster_configuration(layout: ClusterLayout, passwords: dict[str, str]) -> str:
    """Returns the file of one server. `passwords` has a literal or a `$NAME` of the environment for each
    service, the command line, and the users of OPERATOR."""
    system = f"""\
  $SYS {{
    users: [
      {{
        user: {SYSTEM_USER}
        password: {passwords[SYSTEM_USER]}
        # Without a majority, a removal (peer-remove) is not refused but kept, and carried out when the others
        # are back: the servers that come to help are then shut out. Nobody needs it: a server keeps its name.
        permissions {{ publish: {{ deny: ["$JS.API.SERVER.REMOVE"] }} }}
      }}
    ]
  }}
"""
    return nats_access.configuration(passwords, server=_server(layout), accounts=system)


def _server(layout: ClusterLayout) -> str:
    routes = "".join(f'\n    "tls://{route}"' for route in layout.routes)
    client_tls = f"{CLIENT_TLS}tls {_tls(layout, '', '')}\n" if layout.client_tls else ""
    return f"""{HEAD}
server_name: {layout.server_name}
listen: "{layout.listen}"
http: "{layout.monitor}"
jetstream {{
  store_dir: "{layout.store}"
  # Fixed: the default is a share of the disk, which differs from server to server.
  max_file_store: {layout.max_file_store}
  max_memory_store: 64MB
  # An acknowledged event is on the disk of two servers: with the default, an OS crash of one and a
  # pause of another could lose it.
  sync_interval: always
}}
{client_tls}cluster {{
  name: aero2
  listen: "{layout.listen_routes}"
  # Clients know all servers by the names in their certificates. Addresses behind a network of
  # containers would lead nowhere.
  no_advertise: true
  routes: [{routes}
  ]
  # A server proves itself to each other one. A process with a certificate of this authority is a server,
  # and no permission binds it: give none to anything else.
  tls {_tls(layout, "  ", "verify: true")}
}}
"""


HEAD: Final = """\
# One of three NATS servers. Written by `make nats-conf` (`aero2 cluster configuration` for other hosts).
# All servers have this file; NATS_SERVER_NAME is the server's own name: unique, and the same for ever.
# Its name and its store belong together. The accounts keep their names, too: they own the stream.
# The permissions are those of deploy/nats.conf; services believe the caller in a message because of them."""

CLIENT_TLS: Final = """\
# The services check the server by AERO2_NATS_CA_FILE. Remove this block if the network is yours alone.
"""


def _tls(layout: ClusterLayout, indent: str, more: str) -> str:
    folder = layout.certificates
    lines = [
        f'cert_file: "{folder}/certificate.pem"',
        f'key_file: "{folder}/key.pem"',
        f'ca_file: "{folder}/ca.pem"',
        *([more] if more else []),
        "timeout: 5",
    ]
    body = "".join(f"{indent}  {line}\n" for line in lines)
    return f"{{\n{body}{indent}}}"
