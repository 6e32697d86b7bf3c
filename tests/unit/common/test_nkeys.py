"""Keys of NATS as text, compared with those of its own tools."""

from __future__ import annotations

import pytest

from common.nkeys import BadNatsKey, KeyKind, NatsKey, decode_public, encode_public, is_signature

USER_SEED = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
USER = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"
"""The pair in the documentation of nats-server."""


def test_a_seed_gives_the_public_key_that_nats_knows() -> None:
    key = NatsKey.parse(USER_SEED, "user")
    assert (key.public, key.seed) == (USER, USER_SEED)


@pytest.mark.parametrize(
    ("kind", "letter"), [("account", "A"), ("curve", "X"), ("server", "N"), ("user", "U")]
)
def test_each_kind_begins_with_its_letter(kind: KeyKind, letter: str) -> None:
    """Seeds begin with S and that letter. Both can be read again."""
    key = NatsKey.generate(kind)
    assert (key.seed[:2], key.public[:1]) == (f"S{letter}", letter)
    assert NatsKey.parse(key.seed, kind) == key
    assert encode_public(kind, decode_public(key.public, kind)) == key.public


@pytest.mark.parametrize(
    "text", ["", "S", USER, USER_SEED[:-1], USER_SEED[:-1] + "A", "!" * 58, USER_SEED.lower()]
)
def test_what_is_no_seed(text: str) -> None:
    """Another kind, a wrong checksum, other characters."""
    with pytest.raises(BadNatsKey):
        NatsKey.parse(text, "user")
    with pytest.raises(BadNatsKey):
        NatsKey.parse(USER_SEED, "account")


def test_signatures() -> None:
    """Only the key that signed verifies, and only the same message."""
    key, other = NatsKey.generate("server"), NatsKey.generate("server")
    signature = key.sign(b"message")
    assert is_signature(key.public, "server", signature, b"message")
    assert not is_signature(key.public, "server", signature, b"massage")
    assert not is_signature(other.public, "server", signature, b"message")
    assert not is_signature("nonsense", "server", signature, b"message")


def test_a_seed_stands_in_no_log() -> None:
    key = NatsKey.generate("account")
    assert key.seed not in repr(key)
    assert repr(key.raw_seed) not in repr(key)
