"""URLs that stand for a client (draft-ietf-oauth-client-id-metadata-document section 3), and those that
an application accepts."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from common.contracts.app_settings import AppSettings

PREFIX: Final = "https://"
"""No client_id that we make begins so."""
MAX_LENGTH: Final = 200
HTTPS_PORT: Final = 443
LAST_PORT: Final = 65_535
DOT_SEGMENT: Final = re.compile(r"/(\.|%2e){1,2}(/|$)", re.IGNORECASE)
URL: Final = re.compile(
    r"https://(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>/[!$%&'()*+,\-./0-9:;=@A-Z_a-z~]*)(?:\?[!$%&'()*+,\-./0-9:;=@A-Z_a-z~?]*)?"
)
"""A host in lower case and a path. There is neither user information nor a fragment."""


def is_url(client_id: str) -> bool:
    """Returns whether the client_id names a document, well-formed or not."""
    return client_id.startswith(PREFIX)


def is_well_formed(client_id: str) -> bool:
    """Returns whether the URL may stand for a client.

    The document must name the same URL, byte for byte. So each document has one spelling: a
    default port, dot segments and a path that is only a slash are refused.
    """
    match = URL.fullmatch(client_id) if len(client_id) <= MAX_LENGTH else None
    if match is None or ".." in match["host"] or DOT_SEGMENT.search(match["path"]):
        return False
    port = int(match["port"] or 1)
    return port <= LAST_PORT and port != HTTPS_PORT and match["path"] != "/"


def is_accepted(settings: AppSettings, client_id: str) -> bool:
    """Returns whether the application accepts clients of this host."""
    if settings.client_id_documents == "any":
        return True
    host = urlsplit(client_id).hostname
    return settings.client_id_documents == "listed" and host in settings.client_id_document_hosts
