"""The key of an email address says whether two spellings are the same address."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from pydantic import TypeAdapter, ValidationError

from common.address_keys import address_key, domain_key, host_key
from common.contracts.fields import Email, EmailDomain

EMAIL, DOMAIN = TypeAdapter(Email), TypeAdapter(EmailDomain)
LETTERS = [
    chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code))[0] == "L"
]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ΑΡΗΣ@example.com", "αρης@example.com"),
        ("ΑΡΗΣ@example.com", "αρησ@EXAMPLE.com"),
        ("Zoë@example.com", "zoe\u0308@example.com"),
        ("\u212aim@example.com", "kim@example.com"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("a@BÜCHER.example", "A@XN--BCHER-KVA.EXAMPLE"),
        ("a@faß.example", "a@xn--fa-hia.example"),
        (" a@example.com\n", "a@example.com"),
        ("STRAẞE@example.com", "straße@example.com"),
    ],
)
def test_same(one: str, other: str) -> None:
    """Both spellings have the same key, also after the contract has read them."""
    first, second = EMAIL.validate_python(one), EMAIL.validate_python(other)

    assert address_key(one) == address_key(other) == address_key(first) == address_key(second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("straße@example.com", "strasse@example.com"),
        ("a@faß.example", "a@fass.example"),
        ("\u0131@example.com", "i@example.com"),
        ("a.b@example.com", "ab@example.com"),
        ("a+x@example.com", "a@example.com"),
    ],
)
def test_different(one: str, other: str) -> None:
    """Similar addresses have different keys."""
    assert address_key(one) != address_key(other)


def test_a_key_is_its_own_key() -> None:
    """The key of a key is the same, for every letter of Unicode."""
    unstable = [
        letter
        for letter in LETTERS
        for key in [address_key(f"{letter}@x.example")]
        if address_key(key) != key
    ]

    assert unstable == []


def test_the_case_of_a_letter_does_not_count() -> None:
    """A letter whose capital is one character has the same key in both cases."""
    differing = [
        letter
        for letter in LETTERS
        if len(letter.lower()) == 1 == len(letter.lower().upper())
        and address_key(letter + "@x.example") != address_key(letter.lower() + "@x.example")
    ]

    assert differing == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Bücher.Example.", "xn--bcher-kva.example"),
        ("xn--BCHER-kva.example", "xn--bcher-kva.example"),
        (" Example.ORG ", "example.org"),
        ("faß.example", "xn--fa-hia.example"),
    ],
)
def test_domains(text: str, key: str) -> None:
    """A domain is accepted in any spelling and stored as its key."""
    assert DOMAIN.validate_python(text) == domain_key(text) == domain_key(key) == key


@pytest.mark.parametrize(
    "text", ["example.org..", "a..b", "-a.example", "localhost", "x.1", "a b.c"]
)
def test_no_domains(text: str) -> None:
    """An invalid domain is refused."""
    with pytest.raises(ValidationError):
        DOMAIN.validate_python(text)


@pytest.mark.parametrize("text", ["a" * 65 + "@example.com", "a@123.45.67.89", "a@", "@b.example"])
def test_addresses_that_cannot_exist(text: str) -> None:
    """Addresses that are invalid by RFC 5321 sections 4.5.3.1.1 and 4.1.3 are refused."""
    with pytest.raises(ValidationError):
        EMAIL.validate_python(text)


def test_one_dot_at_the_end_is_the_root() -> None:
    """One dot at the end is accepted, two are not."""
    assert host_key("Demo.Localhost.:8080") == "demo.localhost:8080"
    assert host_key("demo.localhost..") == "demo.localhost."
