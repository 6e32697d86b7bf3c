"""A mail as it goes over SMTP (RFC 5322, RFC 2045).

Python's `email` package parses every header that it writes, and costs half of what a mail costs us. Our mails
have two parts and nine headers, whose form is known.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from email.header import Header
from typing import Final

from common.address_keys import domain_key

EOL: Final = b"\r\n"
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
"""A line break, which ends a header (RFC 5322 section 2.2), is one of these."""
ATOMS: Final = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?: [\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
"""A name that needs no quotes (RFC 5322 section 3.2.5)."""
ENCODED_WORD: Final = "=?"
LINE: Final = 78
"""Characters of a line. A longer header is folded (RFC 5322 section 2.1.1)."""


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """A mail for one recipient. `content` are its headers and parts. If `is_international`, an address has
    letters beyond ASCII, and the server must support SMTPUTF8 (RFC 6531)."""

    sender: str
    recipient: str
    content: bytes = field(repr=False)
    is_international: bool = False


def with_ascii_domain(address: str) -> str:
    """Returns the address with its domain in A-labels (RFC 5891), which every server takes."""
    local, at, domain = address.rpartition("@")
    if domain.isascii():
        return address
    try:
        return local + at + domain_key(domain)
    except ValueError:
        return address


def header(name: str, value: str) -> bytes:
    """Returns a header with a text, encoded if it has more than ASCII (RFC 2047). A control character
    becomes a space."""
    value = CONTROL.sub(" ", value)
    if not _is_plain(value) or len(name) + len(value) > LINE - len(": "):
        value = _encoded(name, value)
    return f"{name}: {value}".encode("ascii") + EOL


def sender_header(name: str, address: str) -> bytes:
    """Returns the From header with the name that readers see. Raises ValueError as `address_header` does."""
    name = CONTROL.sub(" ", name)
    if not _is_plain(name):
        name = _encoded("From", name)
    elif not ATOMS.fullmatch(name):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"From: {name} <{_checked(address)}>".encode() + EOL


def address_header(name: str, address: str) -> bytes:
    """Returns a header with an address. Raises ValueError if it has a control character."""
    return f"{name}: {_checked(address)}".encode() + EOL


def alternatives(id: str, text: str, html: str) -> bytes:
    """Returns the headers and parts of a body in two forms, of which a reader shows one (RFC 2046 section
    5.1.4). `id` makes the boundary. No part contains it: quoted-printable has `=` before hexadecimal
    digits and line ends only."""
    boundary = f"=_{id}".encode("ascii")
    return EOL.join(
        (
            b"MIME-Version: 1.0",
            b'Content-Type: multipart/alternative;\r\n boundary="' + boundary + b'"',
            b"",
            b"--" + boundary,
            *_part(b"text/plain", text),
            b"--" + boundary,
            *_part(b"text/html", html),
            b"--" + boundary + b"--",
            b"",
        )
    )


def _part(kind: bytes, text: str) -> tuple[bytes, ...]:
    """Returns a part in quoted-printable, which every server passes on as it is (RFC 2045 section 6.7)."""
    lines = text.replace("\r\n", "\n").removesuffix("\n").replace("\n", "\r\n") + "\r\n"
    return (
        b"Content-Type: " + kind + b'; charset="utf-8"',
        b"Content-Transfer-Encoding: quoted-printable",
        b"",
        binascii.b2a_qp(lines.encode(), istext=True),
    )


def _is_plain(text: str) -> bool:
    """Returns whether a reader takes the text as it is."""
    return text.isascii() and ENCODED_WORD not in text


def _encoded(name: str, text: str) -> str:
    """Returns the text of a header in lines that are short enough, as encoded words if it is not plain."""
    charset = "us-ascii" if _is_plain(text) else "utf-8"
    return Header(text, charset, header_name=name).encode(linesep="\r\n")


def _checked(address: str) -> str:
    if CONTROL.search(address):
        raise ValueError("an address has a control character")
    return address
