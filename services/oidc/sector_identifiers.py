"""The sector identifier of clients that register themselves (OpenID Connect Dynamic Client Registration 1.0 section 5).

The document at `sector_identifier_uri` must list all redirect URIs. It is the one address that a registration calls:
without the answer, a client could join the sector of another and learn the subjects of its users.
"""

from __future__ import annotations

from typing import Final

from common.contracts.client_registration import InvalidClientMetadata
from common.outgoing_http import Unreachable
from oidc import redirect_uris
from oidc.deps import Deps
from oidc.registration_metadata import ClientMetadata

DEADLINE: Final = 3.0
"""Seconds: less than the gateway's time limit, so that the client gets our error."""
MAX_BYTES: Final = 16_384
NOT_USABLE: Final = "sector_identifier_uri: its document could not be used"


async def verify(deps: Deps, metadata: ClientMetadata) -> None:
    """Verifies the sector that a client names, if it names one. Raises InvalidClientMetadata, which does not say what
    another server has answered."""
    uri = metadata.sector_identifier_uri
    if uri is None:
        return
    # The scheme is checked here, too: in development, we may call http.
    if not uri.startswith("https://") or redirect_uris.call_mistake(uri, deps.settings.egress):
        raise InvalidClientMetadata("sector_identifier_uri: only a public https address is called")
    listed = await _fetch(deps, uri)
    registered = {*metadata.redirect_uris}
    if not isinstance(listed, list) or not registered <= {u for u in listed if isinstance(u, str)}:
        raise InvalidClientMetadata(
            "sector_identifier_uri: its document must be a JSON array with all redirect_uris"
        )


async def _fetch(deps: Deps, uri: str) -> object:
    try:
        answer = await deps.http.request("GET", uri, deadline=DEADLINE)
        if answer.status != 200 or len(answer.body) > MAX_BYTES:
            raise InvalidClientMetadata(NOT_USABLE)
        document: object = answer.json()
    except (Unreachable, ValueError):
        raise InvalidClientMetadata(NOT_USABLE) from None
    return document
