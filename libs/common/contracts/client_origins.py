"""Browser origins of an application's OAuth clients."""

from __future__ import annotations

from common.contracts.base import SYSTEM, Contract, Request


class Origins(Contract):
    """Browser origins of clients."""

    origins: list[str]


class ListOrigins(Request[Origins], subject="oidc.origin.list", needs=SYSTEM, safe=True):
    """Lists the browser origins of all enabled clients. The gateway allows them in CORS."""
