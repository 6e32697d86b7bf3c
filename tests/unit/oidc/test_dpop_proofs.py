"""Proofs of possession: what is a proof for this request (RFC 9449 section 4.3)."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from tests.kit.dpop import DpopKey

from common.contracts.oauth_errors import InvalidDpopProof
from oidc import dpop_proofs

URL = "https://shop.example.test/oauth2/token"
KEY = DpopKey()


def read(proof: str, **more: Any) -> dpop_proofs.DpopProof:
    return dpop_proofs.read(proof, **{"method": "POST", "url": URL, **more})


@pytest.mark.parametrize("alg", dpop_proofs.ALGORITHMS)
def test_a_proof_names_its_key(alg: str) -> None:
    key = DpopKey(alg)
    proof = read(key.proof("POST", URL, jti="x"))

    assert (proof.thumbprint, proof.jti, proof.nonce) == (key.thumbprint, "x", None)


@pytest.mark.parametrize(
    "claims",
    [
        {"jti": None},
        {"jti": ""},
        {"jti": "x" * 129},
        {"jti": 7},
        {"htm": None},
        {"htm": "GET"},
        {"htm": "post"},
        {"htu": None},
        {"htu": 7},
        {"htu": "https://shop.example.test/oauth2/userinfo"},
        {"htu": "https://other.example.test/oauth2/token"},
        {"htu": "http://shop.example.test/oauth2/token"},
        {"htu": "https://shop.example.test:8443/oauth2/token"},
        {"htu": "https://me@shop.example.test/oauth2/token"},
        {"htu": "http://oidc:8080/oauth2/token"},
        {"htu": "https://[/"},
        {"iat": None},
        {"iat": "now"},
        {"iat": True},
        {"iat": int(time.time()) - 600},
        {"iat": int(time.time()) + 600},
        {"nonce": 7},
        {"nonce": "x" * 129},
    ],
)
def test_claims_that_are_not_of_this_request(claims: dict[str, Any]) -> None:
    with pytest.raises(InvalidDpopProof):
        read(KEY.proof("POST", URL, **claims))


@pytest.mark.parametrize(
    "url",
    [
        URL,
        f"{URL}?x=1#y",
        "HTTPS://SHOP.example.test/oauth2/token",
        "https://shop.example.test:443/oauth2/token",
        "https://shop.example.test/oauth2/%74oken",
    ],
)
def test_a_url_may_be_written_in_several_ways(url: str) -> None:
    """Query and fragment do not count, and neither does how a URL is written."""
    assert read(KEY.proof("POST", url)).jti


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": None},
        {"jwk": None},
        {"jwk": "x"},
        {"jwk": KEY.private_jwk},
        {"jwk": DpopKey().jwk},
        {"jwk": {**KEY.jwk, "kty": "oct", "k": "eHh4"}},
        {"jwk": {**KEY.jwk, "use": "enc"}},
        {"crit": ["b64"]},
    ],
)
def test_headers_that_are_none_of_a_proof(header: dict[str, Any]) -> None:
    with pytest.raises(InvalidDpopProof):
        read(KEY.proof("POST", URL, header=header))


def test_rsa_with_the_old_padding_is_no_algorithm() -> None:
    key = DpopKey("PS256")
    key.alg = "RS256"
    with pytest.raises(InvalidDpopProof):
        read(key.proof("POST", URL))


def test_a_secret_is_no_key() -> None:
    """Neither a symmetric key nor none at all signs a proof."""
    claims = {"jti": "x", "htm": "POST", "htu": URL, "iat": int(time.time())}
    headers = {"typ": "dpop+jwt", "jwk": {"kty": "oct", "k": "c2VjcmV0"}}
    keys: list[tuple[str, Any]] = [("HS256", "secret" * 8), ("none", None)]
    for alg, key in keys:
        with pytest.raises(InvalidDpopProof):
            read(jwt.encode(claims, key, algorithm=alg, headers=headers))


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "..", "é", "a" * 5000])
def test_other_texts(text: str) -> None:
    with pytest.raises(InvalidDpopProof):
        read(text)


def test_a_long_proof_is_not_read() -> None:
    with pytest.raises(InvalidDpopProof):
        read(KEY.proof("POST", URL, padding="x" * 4096))


def test_a_proof_for_a_token_has_its_hash() -> None:
    """Trap: without `ath`, or with that of another token, a proof opens nothing."""
    for good, token in ((True, "at_1"), (False, "at_2"), (False, None)):
        proof = KEY.proof("GET", URL, token=token)
        if good:
            assert read(proof, method="GET", access_token="at_1").jti
        else:
            with pytest.raises(InvalidDpopProof):
                read(proof, method="GET", access_token="at_1")


def test_a_nonce_makes_up_for_a_wrong_clock() -> None:
    late = int(time.time()) - 200
    assert read(KEY.proof("POST", URL, nonce="n", iat=late)).nonce == "n"
    with pytest.raises(InvalidDpopProof):
        read(KEY.proof("POST", URL, iat=late))


def test_two_keys_may_have_one_jti() -> None:
    """Trap: what is remembered of a proof is its key and its `jti`."""
    one, two = (read(key.proof("POST", URL, jti="x")) for key in (KEY, DpopKey()))
    assert one.id != two.id
    assert len(one.id) == 16
    assert one.id == read(KEY.proof("POST", URL, jti="x")).id
