"""Mails have the form that every server and reader understands, whatever texts they carry."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from identity.outgoing_mail import (
    address_header,
    alternatives,
    header,
    sender_header,
    with_ascii_domain,
)

ID = "018f0000-0000-7000-8000-00000000000a"
LETTERS = st.characters(exclude_categories=["Cs"])
LINES = st.text(LETTERS.filter(lambda one: one not in "\r"), max_size=300)


def parsed(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=policy.SMTP)
    assert isinstance(message, EmailMessage)
    return message


def shape(content: bytes) -> list[bytes]:
    """Returns the lines. Asserts that each ends with CR and LF, is short enough, and is ASCII."""
    assert content.endswith(b"\r\n")
    lines = content[:-2].split(b"\r\n")
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert all(len(line) <= 998 and line.isascii() for line in lines)
    return lines


@given(st.text(LETTERS, max_size=200))
@example("a" * 200)
@example("word " * 30)
@example("Code 123 für =?utf-8?q?x?=")
@example("x\r\nBcc: all@example.com")
def test_a_text_stays_in_its_header(text: str) -> None:
    """It is read as it was written, and cannot add a header. Encoded words are 75 characters at most
    (RFC 2047 section 2)."""
    content = header("Subject", text)
    lines = shape(content)
    message = parsed(content + b"\r\nbody")
    assert list(message.keys()) == ["Subject"]
    words = "".join(" " if ord(one) < 32 or ord(one) == 127 else one for one in text)
    assert "".join(str(message["Subject"]).split()) == "".join(words.split())
    assert all(len(line) <= 78 for line in lines) or text.isascii()


@given(st.text(LETTERS, min_size=1, max_size=100))
@example('Quote "me" \\ <x@evil.example>,')
@example("Blue Shop")
@example("Läden & Söhne, 株式会社")
@example("=?utf-8?q?x?=")
@example("x\r\nBcc: all@example.com")
def test_a_name_is_not_an_address(name: str) -> None:
    """Whatever it looks like, the sender is the address behind it."""
    content = sender_header(name, "no-reply@id.example.org")
    shape(content)
    message = parsed(content + b"\r\nbody")
    assert list(message.keys()) == ["From"]
    (address,) = message["From"].addresses
    assert address.addr_spec == "no-reply@id.example.org"


def test_names_are_quoted_only_if_they_must_be() -> None:
    """Readers show the name itself."""
    assert sender_header("Blue Shop", "a@b.example") == b"From: Blue Shop <a@b.example>\r\n"
    assert sender_header("Shop, Inc.", "a@b.example") == b'From: "Shop, Inc." <a@b.example>\r\n'
    for name in ("Blue Shop", "Shop, Inc.", 'a "b" \\ c', "Läden", "株式会社"):
        (address,) = parsed(sender_header(name, "a@b.example") + b"\r\n")["From"].addresses
        assert address.display_name == name


@pytest.mark.parametrize("address", ["a@b.example\r\nBcc: c@d.example", "a\n@b.example", "\x00"])
def test_an_address_with_a_line_break_is_refused(address: str) -> None:
    """It would be a header of its own."""
    with pytest.raises(ValueError, match="control character"):
        address_header("To", address)
    with pytest.raises(ValueError, match="control character"):
        sender_header("Shop", address)


@given(LINES, LINES)
@example("", "")
@example(".\n..\n.", "trailing \n\ttabs\t\n")
@example(f"--=_{ID}--\n", f"=_{ID}")
@example("x" * 2000, "é" * 2000)
def test_both_parts_are_read_as_they_were_written(text: str, html: str) -> None:
    """No text ends its part, and no line is too long for a server (RFC 5321 section 4.5.3.1.6)."""
    content = alternatives(ID, text, html)
    assert max(map(len, shape(content))) <= 78
    message = parsed(content)
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert not message.defects
    for part, written in zip(message.iter_parts(), (text, html), strict=True):
        assert isinstance(part, EmailMessage)
        body = part.get_payload(decode=True)
        assert isinstance(body, bytes)
        assert body.decode().replace("\r\n", "\n") == written.removesuffix("\n") + "\n"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("ann@example.com", "ann@example.com"),
        ("ann@münchen.example", "ann@xn--mnchen-3ya.example"),
        ("änn@münchen.example", "änn@xn--mnchen-3ya.example"),
        ("ann@mün chen", "ann@mün chen"),
    ],
)
def test_a_domain_is_written_in_ascii(address: str, expected: str) -> None:
    """So a server without SMTPUTF8 takes a mail to such a domain."""
    assert with_ascii_domain(address) == expected
