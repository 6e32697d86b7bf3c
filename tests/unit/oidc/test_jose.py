"""JSON Web Keys and compact JWS."""

from __future__ import annotations

from dataclasses import dataclass

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from common.crypto import b64url
from common.sealing import unb64
from oidc import jose, json_web_keys


@pytest.mark.parametrize("alg", sorted(json_web_keys.ALGORITHMS))
def test_what_is_signed_verifies_elsewhere(alg: str) -> None:
    """PyJWT verifies it with the published key, and not with another key of the same kind."""
    der = json_web_keys.generate(alg)
    jwk = json_web_keys.public_jwk(alg, der)
    token = json_web_keys.load_private(jwk["kid"], alg, der).sign("JWT", {"sub": "u"})

    assert jwt.decode(token, jwt.PyJWK(jwk), algorithms=[alg]) == {"sub": "u"}
    other = jwt.PyJWK(json_web_keys.public_jwk(alg, json_web_keys.generate(alg)))
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, other, algorithms=[alg])


@dataclass
class ShortNumbers:
    """A key whose signatures have numbers with leading zeros, which DER leaves out."""

    r: int
    s: int

    def sign(self, _: bytes, __: object) -> bytes:
        return encode_dss_signature(self.r, self.s)


@pytest.mark.parametrize("numbers", [(1, 2), (2**255, 1), (3, 2**256 - 1)])
def test_an_ecdsa_signature_has_two_numbers_of_32_bytes(numbers: tuple[int, int]) -> None:
    """R and S keep their leading zeros (RFC 7518 section 3.4)."""
    token = json_web_keys.SigningKey("k", "ES256", ShortNumbers(*numbers), {}).sign("JWT", {})

    signature = unb64(token.rpartition(".")[2])
    assert len(signature) == 64
    assert (int.from_bytes(signature[:32]), int.from_bytes(signature[32:])) == numbers


@pytest.mark.parametrize("alg", sorted(json_web_keys.ALGORITHMS))
def test_a_published_key_has_no_private_member(alg: str) -> None:
    """It names its algorithm and use."""
    jwk = json_web_keys.public_jwk(alg, json_web_keys.generate(alg))

    assert not jwk.keys() & {"d", "p", "q", "dp", "dq", "qi", "k"}
    assert (jwk["alg"], jwk["use"]) == (alg, "sig")


def test_half_of_the_digest() -> None:
    """`at_hash` is that of the example in OpenID Connect Core A.4. Ed25519 uses SHA-512."""
    token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"

    assert jose.half_hash("RS256", token) == "77QmUPtjPfzWtF2AnpK9RQ"
    assert len(jose.half_hash("EdDSA", token)) == 43


def test_one_key_has_one_name_per_algorithm() -> None:
    """The name follows from the key, so two keys never share one (RFC 7638)."""
    der = json_web_keys.generate("RS256")

    assert (
        json_web_keys.public_jwk("RS256", der)["kid"]
        == json_web_keys.public_jwk("RS256", der)["kid"]
    )
    assert (
        json_web_keys.public_jwk("RS256", der)["kid"]
        != json_web_keys.public_jwk("PS256", der)["kid"]
    )


def number(value: int) -> str:
    """Encodes a number as a JWK has it (RFC 7518 section 2)."""
    return b64url(value.to_bytes((value.bit_length() + 7) // 8))


def test_the_largest_key_verifies() -> None:
    """It has 4096 bits and the largest exponent."""
    jwk = {"kty": "RSA", "n": number(2**4095 + 1), "e": number(2**32 - 1)}

    assert not json_web_keys.load_public(jwk, "RS256").verifies(b"message", b"s" * 512)


@given(st.text(max_size=200))
def test_no_text_breaks_the_parser(text: str) -> None:
    """Any text is a token or is refused as one."""
    with pytest.raises(json_web_keys.BadToken):
        jose.verify(text, lambda _: None, types=frozenset({"JWT"}))


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_no_bytes_break_the_parser(head: bytes, body: bytes) -> None:
    """The same is true of three well-formed parts."""
    from common.crypto import b64url

    with pytest.raises(json_web_keys.BadToken):
        jose.verify(f"{b64url(head)}.{b64url(body)}.AAAA", lambda _: None, types=frozenset({"JWT"}))


@pytest.mark.parametrize(
    ("jwk", "alg"),
    [
        ({"kty": "oct", "k": "AAAA"}, "RS256"),
        ({"kty": "RSA", "n": "AQAB", "e": "AQAB"}, "RS256"),
        ({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, "ES256"),
        ({"kty": "OKP", "crv": "Ed25519", "x": "AA"}, "EdDSA"),
        ({"kty": "RSA", "n": 5, "e": None}, "RS256"),
        ({}, "ES256"),
        ({"kty": "RSA", "n": number(2**8191 + 1), "e": "AQAB"}, "RS256"),
        ({"kty": "RSA", "n": number(2**4096 + 1), "e": "AQAB"}, "RS256"),
        ({"kty": "RSA", "n": number(2**2047 + 1), "e": number(2**32 + 1)}, "RS256"),
        ({"kty": "RSA", "n": number(2**2047 + 1), "e": number(2**2046 + 1)}, "PS256"),
        ({"kty": "RSA", "n": number(2**2047 + 1), "e": "AQ"}, "RS256"),
        ({"kty": "RSA", "n": "A" * 1_000_000 + number(2**2047 + 1), "e": "AQAB"}, "RS256"),
    ],
)
def test_a_weak_or_wrong_key_is_refused(jwk: dict[str, str], alg: str) -> None:
    """Refused are symmetric, short and incomplete keys, other curves, and slow exponents."""
    with pytest.raises(json_web_keys.BadToken):
        json_web_keys.load_public(jwk, alg)


def test_a_key_fits_its_algorithm_only() -> None:
    """An EC key does not verify RS256, nor P-384 ES256."""
    jwk = json_web_keys.public_jwk("ES256", json_web_keys.generate("ES256"))
    for alg in ("RS256", "EdDSA"):
        with pytest.raises(json_web_keys.BadToken):
            json_web_keys.load_public(jwk, alg)


def test_a_token_has_one_spelling() -> None:
    """Unused bits in a last character are refused (RFC 4648 section 3.5)."""
    head, body = b64url(b'{"alg":"ES256"}'), b64url(b"{}!!")
    signature = b64url(b"s" * 64)
    jose.split(f"{head}.{body}.{signature}")
    for part in (body, signature):
        other = part[:-1] + chr(ord(part[-1]) + 1)
        assert unb64(other) == unb64(part)
        with pytest.raises(json_web_keys.BadToken):
            jose.split(f"{head}.{body}.{signature}".replace(part, other))


@pytest.mark.parametrize("member", ["alg", "kid", "typ", "cty"])
@pytest.mark.parametrize("value", [["x"], {}, None, 5])
def test_a_header_holds_strings(member: str, value: object) -> None:
    head = b64url(orjson.dumps({member: value}))
    with pytest.raises(json_web_keys.BadToken):
        jose.split(f"{head}.e30.c2ln")


@pytest.mark.parametrize("jwk", [{"kty": []}, {"kty": "EC", "alg": ["ES256"]}, {"kty": {}}])
def test_a_key_of_odd_types_is_refused(jwk: dict[str, object]) -> None:
    with pytest.raises(json_web_keys.BadToken):
        json_web_keys.load_public(jwk)
