"""The names that pages give to clients. Nobody has checked the name of a client that registered itself or that is known by its
document: a stranger chose it. Pages show a host instead, which a stranger cannot choose freely."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from oidc import redirect_uris
from oidc.queries.clients import RegisteredClient

DEVELOPER: Final = "developer"
"""The source of clients that the application's own people registered."""
DEVICE: Final = "localhost"
"""Stands for every loopback address: an app on the user's own device."""


def unverified_host(
    source: str, client_id: str, registered: Sequence[str], redirect_uri: str | None = None
) -> str | None:
    """Returns what identifies a client whose name nobody has checked, or None for one of the application.

    That is the host of its document, or the host that gets the code: of `redirect_uri`, or of all the
    `registered` ones. It is `localhost` for the user's own device, and a scheme like `cursor:` for an app that the
    system opens.
    """
    if source == DEVELOPER:
        return None
    if source == "document":
        return redirect_uris.host(client_id) or client_id
    uris = [redirect_uri] if redirect_uri else registered
    return ", ".join(dict.fromkeys(target(uri) for uri in uris)) or client_id


def target(redirect_uri: str) -> str:
    """Returns who gets what is sent to a redirect URI: a host, `localhost`, or a scheme like `cursor:`."""
    scheme = redirect_uri.partition(":")[0]
    host = redirect_uris.host(redirect_uri)
    if scheme not in ("https", "http") or not host:
        return f"{scheme}:"
    return DEVICE if redirect_uris.is_local(host) else host


def shown_name(client: RegisteredClient, redirect_uri: str | None = None) -> str:
    """Returns the client's name, or its host if nobody has checked the name."""
    host = unverified_host(client.source, client.client_id, client.redirect_uris, redirect_uri)
    return client.name if host is None else host
