"""The way back from an act: what a notice offers to undo, as its page learns it from the address.

The values are bound to the developer's session and the page of the user or application. So nobody can make a link whose
notice offers an act of their choice.
"""

from __future__ import annotations

import hmac
from typing import Final

import orjson

from common.audit_chain import unb64
from common.crypto import b64url
from gateway.dashboard.visit import Visit

MAC: Final = 32
"""Bytes of SHA-256."""
LONGEST: Final = 1_000
"""Characters."""


def undo_text(visit: Visit, **values: str) -> str:
    """Returns the values as a text for the address of the page that offers to undo."""
    plain = orjson.dumps(values)
    return b64url(_mac(visit, plain) + plain)


def undo_values(visit: Visit) -> dict[str, str] | None:
    """Returns the values of the address, or None if `undo_text` did not make them for this session and
    page."""
    text = visit.fields.text("undo")
    if not text or len(text) > LONGEST:
        return None
    try:
        raw = unb64(text)
    except ValueError:
        return None
    mac, plain = raw[:MAC], raw[MAC:]
    keys = visit.gateway.settings.keys.configured
    if not any(hmac.compare_digest(mac, _mac(visit, plain, kid)) for kid in keys):
        return None
    values: dict[str, str] = orjson.loads(plain)
    return values


def _mac(visit: Visit, plain: bytes, kid: str | None = None) -> bytes:
    key = visit.gateway.settings.keys.derive("undo", kid)
    place = f"{visit.user.session.id}|{visit.home}|{visit.parameters.get('user_id', '').lower()}|"
    return hmac.digest(key, place.encode() + plain, "sha256")
