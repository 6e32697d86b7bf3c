"""Where a page may send the browser next."""

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
    """Whatever could leave this host, or confuse a browser into leaving, goes to the default."""
    assert local(path, "/account") == "/account"


@pytest.mark.parametrize(
    "path", ["/", "/account", "/account/sessions?done=x", "/a/b%20c?x=1&y=/z", "/a:b@c"]
)
def test_local_paths_stay(path: str) -> None:
    """A path of this host is kept as it is."""
    assert local(path, "/account") == path


@given(st.text(alphabet="/\\.:@?#%\t\r\n aé", max_size=12))
def test_what_is_kept_has_no_host(path: str) -> None:
    """Read as a browser would (WHATWG URL: tabs and newlines go, backslashes are slashes)."""
    kept = local(path, "/account")

    folded = kept.translate({ord(sign): None for sign in "\t\r\n"}).replace("\\", "/")
    assert folded.startswith("/")
    assert not folded.startswith("//")


def test_parameters_are_encoded() -> None:
    """What is carried along cannot become a parameter of its own."""
    assert at("/login", email="a&b=c@x", request=None) == "/login?email=a%26b%3Dc%40x"
