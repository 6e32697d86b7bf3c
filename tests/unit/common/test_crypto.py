"""Master keys, hashes, tokens and cursors."""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.crypto import BadKey, Keys, b64url, token
from common.cursors import BadCursor, Cursors
from common.ids import new_id


def master(kid: str = "k1") -> str:
    return f"{kid}:{base64.b64encode(os.urandom(32)).decode()}"


def keys(*kids: str) -> Keys:
    return Keys.parse(",".join(master(kid) for kid in kids or ("k1",)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no-colon",
        "k1:" + base64.b64encode(b"short").decode(),
        "k1:" + base64.b64encode(b"\0" * 32).decode(),
        "k1:" + base64.b64encode(b"ab" * 16).decode(),
        "k1:not base64!",
        f"{master()},{master()}",
        f"a b:{base64.b64encode(os.urandom(32)).decode()}",
    ],
    ids=["empty", "colon", "short", "zeros", "pattern", "base64", "twice", "name"],
)
def test_a_weak_master_key_is_refused(text: str) -> None:
    """A key that is absent, short, default, repetitive, malformed or has a repeated id is refused."""
    with pytest.raises(BadKey):
        Keys.parse(text)


def test_a_refusal_never_shows_the_key() -> None:
    """The message does not contain the key, because it goes to a terminal or a log."""
    with pytest.raises(BadKey) as refusal:
        Keys.parse("k1:c2VjcmV0c2VjcmV0")

    assert "c2VjcmV0" not in str(refusal.value)


def test_a_digest_holds_for_one_purpose() -> None:
    """The same value has different hashes as a session and as a code."""
    made = keys()

    assert made.hash("session", "x") != made.hash("code", "x")


def test_an_old_master_key_still_verifies() -> None:
    """While two keys are configured, hashes of the second one are found."""
    old, new = master("k1"), master("k2")
    before = Keys.parse(old).hash("session", "x")

    assert before in Keys.parse(f"{new},{old}").hashes("session", "x")
    assert before not in Keys.parse(new).hashes("session", "x")


def test_tokens_are_256_bits() -> None:
    """A token has 256 random bits."""
    assert len(base64.urlsafe_b64decode(token() + "==")) == 32


APP, OTHER = new_id(), new_id()


def test_a_cursor_comes_back() -> None:
    """A decoded cursor has the sort key of the last row."""
    cursors, at = Cursors(keys()), datetime(2026, 1, 2, tzinfo=UTC)

    made = cursors.make(APP, "users", at, "id-1")

    assert cursors.read(APP, "users", made, 2) == (at.isoformat(), "id-1")


def test_the_first_page_has_none() -> None:
    """Without a cursor the list starts at the beginning."""
    assert Cursors(keys()).read(APP, "users", None, 2) == (None, None)


@pytest.mark.parametrize("place", range(0, 60, 7))
def test_a_tampered_cursor_is_refused(place: int) -> None:
    """Any changed character is a 400."""
    cursors = Cursors(keys())
    made = cursors.make(APP, "users", "2026-01-01", "a" * 40)
    changed = made[:place] + ("A" if made[place] != "A" else "B") + made[place + 1 :]

    with pytest.raises(BadCursor):
        cursors.read(APP, "users", changed, 2)


@pytest.mark.parametrize(
    ("app_id", "of", "count"),
    [(OTHER, "users", 2), (APP, "sessions", 2), (APP, "users", 3)],
    ids=["application", "list", "columns"],
)
def test_a_cursor_holds_for_its_own_list(app_id: str, of: str, count: int) -> None:
    """A cursor of another application, another list or another shape is refused."""
    cursors = Cursors(keys())
    made = cursors.make(APP, "users", "a", "b")

    with pytest.raises(BadCursor):
        cursors.read(app_id, of, made, count)


@pytest.mark.parametrize("nonsense", ["", "x", "%%%", "a" * 5000, "ü"])
def test_nonsense_is_no_cursor(nonsense: str) -> None:
    """Any other text is a 400."""
    with pytest.raises(BadCursor):
        Cursors(keys()).read(APP, "users", nonsense, 2)


@given(st.binary(max_size=80))
def test_base64url_is_that_of_the_standard_library(data: bytes) -> None:
    """It has the alphabet of RFC 4648 section 5 and no padding."""
    assert b64url(data) == base64.urlsafe_b64encode(data).rstrip(b"=").decode()
