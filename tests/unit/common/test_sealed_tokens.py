"""Sealed tokens open only as they were made: for one purpose, one application, under our keys."""

from __future__ import annotations

import string
from typing import Any

import pytest
from tests.kit.world import KEYS, MASTER_KEY

from common import sealed_tokens
from common.crypto import Keys
from common.ids import new_id
from common.sealed_tokens import Opened

APP, OTHER_APP = new_id(), new_id()
NEW_KEY = "k2:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
ID = new_id()


def seal(keys: Keys = KEYS, plain: bytes = b"content") -> str:
    return sealed_tokens.seal(keys, purpose="test", app_id=APP, id=ID, plain=plain)


def opened(text: str, keys: Keys = KEYS, **other: Any) -> Opened | None:
    options = {"purpose": "test", "app_id": APP, "max_length": 2000} | other
    return sealed_tokens.open_sealed(keys, text=text, **options)


def test_a_token_opens() -> None:
    """It has its id and content. An empty content is one, too."""
    for plain in (b"content", b"", bytes(range(256))):
        assert opened(seal(plain=plain)) == Opened(ID, plain)


def test_another_application_or_purpose_does_not_open_it() -> None:
    assert opened(seal(), app_id=OTHER_APP) is None
    assert opened(seal(), purpose="another") is None


def test_each_token_has_a_key_of_its_own() -> None:
    """Two ids with the same content have nothing in common but that."""
    one, two = (
        sealed_tokens.seal(KEYS, purpose="test", app_id=APP, id=id, plain=bytes(64))
        for id in (ID, new_id())
    )
    assert one[-60:] != two[-60:]


def test_a_changed_token_does_not_open() -> None:
    """Whichever character is changed, left out or added, and to what."""
    text = seal()
    alphabet = string.ascii_letters + string.digits + "-_.+/= é\0\ud800"
    for place in range(len(text)):
        for character in alphabet:
            if character != text[place]:
                assert opened(text[:place] + character + text[place + 1 :]) is None
        assert opened(text[:place] + text[place + 1 :]) is None
        assert opened(text[:place]) is None
    for more in ("A", "=", " ", "\n", ".", "é"):
        assert opened(text + more) is None
        assert opened(more + text) is None


@pytest.mark.parametrize(
    "text",
    ["", ".", "k1", "k1.", "k1..", ".AAAA", "k1." + "A" * 20, "k1." + "A" * 60, "k9." + "A" * 90],
)
def test_other_text_does_not_open(text: str) -> None:
    assert opened(text) is None


def test_the_active_key_has_one_name() -> None:
    """Without a name, no key opens: a token has one text only."""
    assert opened(seal().removeprefix("k1")) is None


def test_long_text_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte costs the comparison of its length."""
    monkeypatch.setattr(sealed_tokens, "unb64", lambda _: pytest.fail("decoded"))
    assert opened("k1." + "A" * 1_000_000) is None


def test_unknown_keys_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of a key that we do not have leads to no derivation and no decryption."""
    monkeypatch.setattr(sealed_tokens, "_cipher", lambda *_, **__: pytest.fail("derived"))
    assert opened("k7." + "A" * 90) is None


def test_master_keys_rotate() -> None:
    """Under the next key, tokens of the former one open while it is configured."""
    rotated, retired = Keys.parse(f"{NEW_KEY},{MASTER_KEY}"), Keys.parse(NEW_KEY)
    old, new = seal(), seal(rotated)

    assert new.startswith("k2.")
    assert opened(old, rotated) == opened(new, rotated) == Opened(ID, b"content")
    assert opened(new, retired) == Opened(ID, b"content")
    assert opened(old, retired) is None
    assert opened("k2" + old.removeprefix("k1"), rotated) is None
