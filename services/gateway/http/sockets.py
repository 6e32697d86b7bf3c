"""The sockets that the gateway listens on."""

from __future__ import annotations

import socket
import sys

from gateway.settings import GatewaySettings


def public(settings: GatewaySettings) -> socket.socket:
    """The public socket: inherited from the supervisor, or a new one.

    An inherited socket stays open while no gateway runs, so connections wait during a restart.
    """
    if settings.listen_fd is None:
        return bind(settings.host, settings.port, "AERO2_PORT", reuse=settings.reuse_port)
    return _inherited(settings.listen_fd, "AERO2_LISTEN_FD")


def internal(settings: GatewaySettings) -> socket.socket | None:
    """The socket for metrics, inherited or new; None if metrics are off."""
    if settings.metrics_listen_fd is not None:
        return _inherited(settings.metrics_listen_fd, "AERO2_METRICS_LISTEN_FD")
    if not settings.metrics_port:
        return None
    # Gateways that share their port join the metrics of each other, so any of them may answer.
    shared = settings.reuse_port and settings.metrics_folder is not None
    return bind(settings.metrics_host, settings.metrics_port, "AERO2_METRICS_PORT", reuse=shared)


def _inherited(number: int, setting: str) -> socket.socket:
    try:
        return socket.socket(fileno=number)
    except OSError as error:
        sys.exit(f"gateway: {setting}={number} is no open socket: {error.strerror}.")


def bind(host: str, port: int, setting: str, *, reuse: bool = False) -> socket.socket:
    """The listening socket; the port's owner is the first thing to know about."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        sys.exit(
            f"gateway: cannot listen on {host}:{port} ({setting}): {error.strerror}. "
            "Is another one running?"
        )
    listening.set_inheritable(True)
    return listening
