"""Resolves *.localhost to this machine (RFC 6761 section 6.3), as browsers do."""

from __future__ import annotations

import socket
from typing import Any

_getaddrinfo = socket.getaddrinfo


def _resolve(host: Any, *rest: Any, **more: Any) -> Any:
    name = host.decode() if isinstance(host, bytes) else str(host or "")
    return _getaddrinfo("127.0.0.1" if name.endswith(".localhost") else host, *rest, **more)


socket.getaddrinfo = _resolve
