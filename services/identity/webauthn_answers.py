"""The answers of `navigator.credentials`, as far as they can be read without a key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from webauthn.helpers import base64url_to_bytes, parse_client_data_json

from common.crypto import b64url
from common.field_errors import field_error
from common.problems import Invalid


@dataclass(frozen=True)
class BrowserAnswer:
    """An answer of `navigator.credentials`, as far as it can be read without a key. `challenge` is
    base64url text."""

    credential_id: bytes
    challenge: str
    kind: str
    origin: str
    in_frame: bool
    credential: dict[str, Any] = field(repr=False)
    user_handle: bytes | None = None


def read_answer(credential: dict[str, Any], *needed: str) -> BrowserAnswer:
    """Reads an answer. `needed` are the parts of its `response` that this ceremony has next to the
    client data. Raises Invalid if a part is missing or cannot be read."""
    response = credential.get("response")
    if not isinstance(response, dict):
        raise _incomplete("response")
    for name in ("clientDataJSON", *needed):
        if not isinstance(response.get(name), str):
            raise _incomplete(f"response.{name}")
    for name in ("id", "rawId"):
        if not isinstance(credential.get(name), str):
            raise _incomplete(name)
    try:
        data = parse_client_data_json(base64url_to_bytes(response["clientDataJSON"]))
        handle = response.get("userHandle")
        return BrowserAnswer(
            credential_id=base64url_to_bytes(credential["id"]),
            challenge=b64url(data.challenge),
            kind=str(data.type),
            origin=str(data.origin),
            in_frame=bool(data.cross_origin)
            or b"topOrigin" in base64url_to_bytes(response["clientDataJSON"]),
            credential=credential,
            user_handle=base64url_to_bytes(handle) if isinstance(handle, str) and handle else None,
        )
    except Exception:  # the library raises several kinds for bytes that it cannot read
        raise _incomplete("response.clientDataJSON") from None


def _incomplete(place: str) -> Invalid:
    return Invalid(errors=[field_error("credential", "credential_incomplete", place=place)])
