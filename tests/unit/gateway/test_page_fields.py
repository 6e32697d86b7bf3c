"""Which addresses a page may redirect the browser to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pages.fields import at, local

EVIL = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "https:evil.example",
    "https://evil.example",
    "http://demo.localhost@evil.example",
    "//demo.localhost@evil.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    "/account\r\nSet-Cookie: a=b",
    "/account\nLocation: https://evil.example",
    "/\t/evil.example",
    "/%0d%0a\r",
    " /account",
    "/account ",
    "\t//evil.example",
    "account",
    "./account",
    "?x=1",
    "#x",
    "/a#//evil",
    "/%2fevil.example/x",
    "/%2Fevil.example/x",
    "/%5cevil.example/x",
    "/%5Cevil.example/x",
    "/ä",
    "/\x00",
    "",
    "/" + "a" * 3000,
]


@pytest.mark.parametrize("path", EVIL)
def test_nothing_leads_away(path: str) -> None:
    """An address that could leave the host becomes the default."""
    assert local(path, "/account") == "/account"


@pytest.mark.parametrize(
    "path", ["/", "/account", "/account/sessions?done=x", "/a/b%20c?x=1&y=/z", "/a:b@c"]
)
def test_local_paths_stay(path: str) -> None:
    """A path of this host is kept."""
    assert local(path, "/account") == path


@given(st.text(alphabet="/\\.:@?#%\t\r\n aé", max_size=12))
def test_what_is_kept_has_no_host(path: str) -> None:
    """A kept address has no host for a browser (WHATWG URL: tabs and newlines are removed,
    backslashes are slashes)."""
    kept = local(path, "/account")

    folded = kept.translate({ord(sign): None for sign in "\t\r\n"}).replace("\\", "/")
    assert folded.startswith("/")
    assert not folded.startswith("//")


def test_parameters_are_encoded() -> None:
    """A value cannot become another parameter."""
    assert at("/login", email="a&b=c@x", request=None) == "/login?email=a%26b%3Dc%40x"
