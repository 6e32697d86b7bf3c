"""Time-based one-time passwords (RFC 6238): secrets, their URI and QR code, and the check of a code."""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import b32encode
from typing import Final

import pyotp
import segno

from common.contracts.second_factors import TotpSetup

SECRET_BYTES: Final = 20
"""The length of a SHA-1 digest (RFC 4226 section 4, R6)."""
STEP: Final = 30
"""Seconds."""
OFFSETS: Final = (0, -1, 1)
"""The steps that count: the current one, and one on each side (RFC 6238 section 5.2)."""
DIGITS: Final = re.compile(r"[0-9]{6}")
MAX_LABEL: Final = 60
"""Characters of each name in the URI, so that the QR code stays readable."""


def new_secret() -> bytes:
    """Returns a random secret."""
    return secrets.token_bytes(SECRET_BYTES)


def six_digits(text: str) -> str | None:
    """Returns the code without the spaces and hyphens that people type, or None if it is not six ASCII
    digits."""
    code = re.sub(r"[\s-]", "", text)
    return code if DIGITS.fullmatch(code) else None


def matching_step(secret: bytes, code: str, now: float) -> int | None:
    """Returns the time step of a code, or None if it is wrong. `now` is in epoch seconds."""
    totp = pyotp.TOTP(b32encode(secret).decode(), interval=STEP)
    current = int(now // STEP)
    matches = [
        current + offset
        for offset in OFFSETS
        if hmac.compare_digest(totp.generate_otp(current + offset), code)
    ]
    return matches[0] if matches else None


def setup(secret: bytes, *, issuer: str, account: str) -> TotpSetup:
    """Returns what an authenticator app needs to know, as text and as QR code."""
    text = b32encode(secret).decode()
    uri = pyotp.TOTP(text, interval=STEP).provisioning_uri(
        name=_label(account), issuer_name=_label(issuer)
    )
    code = segno.make(uri, error="m", micro=False)
    return TotpSetup(
        secret=text,
        otpauth_uri=uri,
        qr_code_svg=code.svg_inline(border=4, dark="#000", light="#fff", omitsize=True),
        qr_code_data_url=code.svg_data_uri(scale=4, border=4, dark="#000", light="#fff"),
    )


def _label(text: str) -> str:
    """Returns a name without colons: apps split the label at a colon, also at an encoded one."""
    return " ".join(text.replace(":", " ").split())[:MAX_LABEL].strip() or "-"
