"""Secrets under a passphrase: scrypt (RFC 7914) makes the key, AES-256-GCM seals."""

from __future__ import annotations

import json
import secrets
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from aero2.failures import CommandError

SHORTEST: Final = 16
"""Characters of a passphrase."""
COST: Final = {"n": 2**17, "r": 8, "p": 1}
"""OWASP's parameters of scrypt: 128 MiB of memory for each guess."""
MOST: Final = {"n": 2**20, "r": 16, "p": 4}
"""The largest cost that a file may ask for: reading it must not take all memory."""
HEADER: Final = ("format", "kdf", "n", "r", "p", "salt", "cipher")
FORMAT: Final = "aero2-secrets-1"


def passphrase_in(file: Path) -> str:
    """Returns the passphrase: the first line of the file. Raises CommandError if it is short."""
    try:
        text = file.read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"The passphrase cannot be read from {file}: {error}.") from None
    if len(text) < SHORTEST:
        raise CommandError(
            f"The passphrase in {file} is too short: its first line needs {SHORTEST} characters or "
            "more. Make one with: openssl rand -base64 32"
        )
    return text


def seal(content: dict[str, Any], passphrase: str) -> str:
    """Returns the content as JSON text that only the passphrase opens."""
    header = {
        "format": FORMAT,
        "kdf": "scrypt",
        "cipher": "AES-256-GCM",
        **COST,
        "salt": b64encode(secrets.token_bytes(16)).decode(),
    }
    nonce = secrets.token_bytes(12)
    plain = json.dumps(content).encode()
    sealed = AESGCM(_key(header, passphrase)).encrypt(nonce, plain, _bound(header))
    text = {"nonce": b64encode(nonce).decode(), "sealed": b64encode(sealed).decode()}
    return json.dumps(header | text, indent=2)


def open_sealed(text: str, passphrase: str) -> dict[str, Any]:
    """Returns the content. Raises CommandError for another passphrase, and for a damaged file."""
    try:
        file = json.loads(text)
        header = {name: file[name] for name in HEADER}
        if header["format"] != FORMAT or header["kdf"] != "scrypt":
            raise ValueError
        if not all(isinstance(file[name], int) and 1 <= file[name] <= MOST[name] for name in MOST):
            raise ValueError
        nonce, sealed = b64decode(file["nonce"]), b64decode(file["sealed"])
        key = _key(header, passphrase)
    except (ValueError, KeyError, TypeError):
        raise CommandError("The file of secrets is damaged, or of another version.") from None
    try:
        content = json.loads(AESGCM(key).decrypt(nonce, sealed, _bound(header)))
    except (InvalidTag, ValueError):
        raise CommandError(
            "The passphrase does not open the secrets of this backup, or the file was changed."
        ) from None
    return dict(content)


def _key(header: dict[str, Any], passphrase: str) -> bytes:
    salt = b64decode(header["salt"], validate=True)
    kdf = Scrypt(salt=salt, length=32, n=header["n"], r=header["r"], p=header["p"])
    return kdf.derive(passphrase.encode())


def _bound(header: dict[str, Any]) -> bytes:
    """The header cannot be changed without the passphrase, either."""
    return json.dumps({name: header[name] for name in HEADER}, sort_keys=True).encode()
