"""Codes of authenticator apps: RFC 6238, and what people type."""

from __future__ import annotations

from base64 import b32decode
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest

from identity import totp_codes

RFC_SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("time", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_the_vectors_of_the_standard(time: int, code: str) -> None:
    """RFC 6238 appendix B, with six digits."""
    assert totp_codes.matching_step(RFC_SECRET, code, time) == time // 30


@pytest.mark.parametrize(
    ("seconds", "step"), [(-31, None), (-30, 0), (0, 0), (29, 0), (59, 0), (60, None)]
)
def test_the_window_has_one_step_on_each_side(seconds: int, step: int | None) -> None:
    """A code is accepted one step before its own and one after it. The step that counts as used is
    the code's own."""
    base = 1_200_000_000
    code = pyotp.TOTP("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").at(base)
    found = totp_codes.matching_step(RFC_SECRET, code, base + seconds)
    assert found == (None if step is None else base // 30)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("123456", "123456"),
        (" 123 456 ", "123456"),
        ("123-456", "123456"),
        ("12345", None),
        ("1234567", None),
        ("12345a", None),
        ("１２３４５６", None),  # full-width digits
        ("١٢٣٤٥٦", None),  # Arabic-Indic digits
        ("", None),
    ],
)
def test_six_ascii_digits(text: str, code: str | None) -> None:
    """Spaces and hyphens do not count. Digits of other scripts are none."""
    assert totp_codes.six_digits(text) == code


@pytest.mark.parametrize(
    ("issuer", "account"),
    [
        ("Acme", "ada@example.com"),
        ("Acme: Shop", "a:b@example.com"),
        ("Börse & Söhne?#/%", "ada+tag@example.com"),
        (":::", ":"),
        ("x" * 300, "y" * 300),
    ],
)
def test_the_uri_is_read_the_same_by_every_app(issuer: str, account: str) -> None:
    """No name has a colon, so label and account come apart at the only one. The issuer is the same in
    the label and in the parameter. The secret has 20 bytes."""
    secret = totp_codes.new_secret()
    setup = totp_codes.setup(secret, issuer=issuer, account=account)
    parts = urlsplit(setup.otpauth_uri)
    label, query = unquote(parts.path.removeprefix("/")), parse_qs(parts.query)

    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert label.count(":") == 1
    assert label.partition(":")[0] == query["issuer"][0] != ""
    assert b32decode(query["secret"][0]) == secret
    assert len(secret) == 20
    assert setup.secret not in repr(setup)
