"""The public socket of the gateway."""

from __future__ import annotations

import base64
import os
import socket

import pytest

from gateway.http import sockets as listening
from gateway.settings import GatewaySettings


def settings(**more: object) -> GatewaySettings:
    key = "k1:" + base64.b64encode(os.urandom(32)).decode()
    return GatewaySettings(master_key=key, **more)  # type: ignore[arg-type]


def test_an_inherited_socket_is_used() -> None:
    """The gateway uses the socket with the given number and binds no port."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        public = listening.public(settings(listen_fd=os.dup(held.fileno()), port=port))
        with socket.create_connection(("127.0.0.1", port)), public.accept()[0]:
            public.close()
        with socket.create_connection(("127.0.0.1", port)):  # It stays open for the next process.
            pass


def test_a_number_that_is_no_socket_is_a_sentence() -> None:
    """The error names the variable."""
    with pytest.raises(SystemExit, match="AERO2_LISTEN_FD=9999 is no open socket"):
        listening.public(settings(listen_fd=9999))


def test_a_port_of_its_own() -> None:
    """Without an inherited socket the gateway opens its port. If it is in use, the error says so."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SystemExit, match="AERO2_PORT"):
            listening.public(settings(port=port))
