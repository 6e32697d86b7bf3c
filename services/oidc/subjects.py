"""Names by which clients know users and sessions."""

from __future__ import annotations

from urllib.parse import urlsplit

from common.crypto import Keys, b64url
from oidc.queries.clients import Registered


def subject(keys: Keys, client: Registered, user_id: str) -> str:
    """`sub` (OpenID Connect Core section 8): the user's id, or a pseudonym per sector.

    The pseudonym must outlive every master key, so it is made with the recognition key of the
    first one, which stays when the master key itself is retired.
    """
    if client.subject_type != "pairwise":
        return user_id
    message = f"{client.app_id}|{sector(client)}|{user_id}".encode()
    return b64url(keys.digest("pairwise", message, keys.first))


def sector(client: Registered) -> str:
    """Section 8.1: what is configured, else the host of the redirect URIs."""
    if client.sector_identifier:
        return client.sector_identifier
    hosts = {urlsplit(uri).hostname or "" for uri in client.redirect_uris}
    return hosts.pop() if len(hosts) == 1 else client.client_id


def sid(keys: Keys, app_id: str, client_id: str, session_id: str) -> str:
    """The session as this client knows it (Front-Channel Logout 1.0 section 3): two clients
    cannot tell by it that they serve the same browser."""
    message = f"{app_id}|{client_id}|{session_id}".encode()
    return b64url(keys.digest("sid", message, keys.first)[:16])
