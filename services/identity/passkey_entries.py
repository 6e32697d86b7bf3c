"""Passkeys as the contracts have them."""

from __future__ import annotations

from common.contracts.passkeys import Passkey
from common.crypto import b64url
from identity.authenticator_names import authenticator_name
from identity.queries.passkeys import StoredPasskey


def entry(stored: StoredPasskey) -> Passkey:
    """Returns a passkey for its user or an administrator."""
    authenticator = authenticator_name(stored.aaguid)
    return Passkey(
        id=stored.id,
        name=stored.name or authenticator,
        authenticator=authenticator,
        credential_id=b64url(stored.credential_id),
        rp_id=stored.rp_id,
        backed_up=stored.backed_up,
        last_used_at=stored.last_used_at,
        created_at=stored.created_at,
    )
