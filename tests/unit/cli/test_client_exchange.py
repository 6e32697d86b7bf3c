"""`aero2 clients exchange` sends what the JSON API wants, and prints what it answers."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest
from typer.testing import CliRunner

from aero2 import client_exchange
from aero2.clients import app

AT = "/api/applications/shop/clients/client_a/exchange-policies"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """The requests that a stand-in for the Dashboard's API gets."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        policy = {"id": "p1", "client_id": "client_a"}
        listed = {"policies": [policy]} if request.method == "GET" else policy
        return httpx.Response(201 if request.method == "POST" else 200, json=listed)

    def dashboard(folder: object = None) -> httpx.Client:
        return httpx.Client(base_url="https://d.example", transport=httpx.MockTransport(answer))

    monkeypatch.setattr(client_exchange, "dashboard", dashboard)
    return requests


def run(*words: str) -> str:
    done = CliRunner().invoke(app, ["exchange", *words])
    assert done.exit_code == 0, done.output
    return done.output


def test_allow(sent: list[httpx.Request]) -> None:
    """Every option becomes a field of the policy; those that are left out are null or empty."""
    printed = run(
        *("allow", "shop", "client_a", "--tokens-of", "client_b", "--scope", "a", "--scope", "b"),
        *("--resource", "https://files.example.com"),
    )
    (request,) = sent
    assert (request.method, request.url.path) == ("POST", AT)
    assert json.loads(request.content) == {
        "subject_client": "client_b",
        "provider": None,
        "resources": ["https://files.example.com"],
        "scopes": ["a", "b"],
        "audience": None,
        "audience_client_id": None,
    }
    assert json.loads(printed)["id"] == "p1"


@pytest.mark.parametrize(
    ("words", "method", "path", "check"),
    [
        (("list", "shop", "client_a"), "GET", AT, lambda text: json.loads(text)[0]["id"] == "p1"),
        (("forbid", "shop", "client_a", "p1"), "DELETE", f"{AT}/p1", lambda text: text == ""),
        (
            ("list", "../shop", "a/b"),
            "GET",
            "/api/applications/..%2Fshop/clients/a%2Fb/exchange-policies",
            lambda text: True,
        ),
    ],
    ids=["list", "forbid", "escaped"],
)
def test_list_and_forbid(
    sent: list[httpx.Request],
    words: tuple[str, ...],
    method: str,
    path: str,
    check: Callable[[str], bool],
) -> None:
    """Names are parts of the path, whatever they are."""
    printed = run(*words)
    (request,) = sent
    assert (request.method, request.url.raw_path.decode()) == (method, path)
    assert check(printed)
