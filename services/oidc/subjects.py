"""The identifiers by which clients know users and sessions."""

from __future__ import annotations

from urllib.parse import urlsplit

from common.crypto import Keys, b64url
from oidc.queries.clients import RegisteredClient


def subject(keys: Keys, client: RegisteredClient, user_id: str) -> str:
    """Returns `sub` (OpenID Connect Core section 8): the user's id, or a pairwise identifier.

    A pairwise identifier must never change. It is derived from the first master key's part for
    this purpose, which is kept when that master key is retired.
    """
    if client.subject_type != "pairwise":
        return user_id
    message = f"{client.app_id}|{sector(client)}|{user_id}".encode()
    return b64url(keys.digest("pairwise", message, keys.first_of(client.app_id, "pairwise")))


def sector(client: RegisteredClient) -> str:
    """Returns the client's sector (OpenID Connect Core section 8.1).

    It is the configured one, or the host of the redirect URIs, or the client itself.
    """
    if client.sector_identifier:
        return client.sector_identifier
    hosts = {urlsplit(uri).hostname or "" for uri in client.redirect_uris}
    return hosts.pop() if len(hosts) == 1 else client.client_id


def sid(keys: Keys, app_id: str, client_id: str, session_id: str) -> str:
    """Returns the client's identifier of a session (Front-Channel Logout 1.0 section 3).

    It differs for each client, so clients cannot tell that they serve the same browser.
    """
    message = f"{app_id}|{client_id}|{session_id}".encode()
    return b64url(keys.digest("sid", message, keys.first_of(app_id, "sid"))[:16])
