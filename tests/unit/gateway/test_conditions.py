"""The headers If-Match and If-None-Match, before a service sees them."""

from __future__ import annotations

import httpx
import pytest
from tests.kit.fake_services import FakeServices

from common.contracts.tenants import Tenant
from common.problems import BadRequest
from gateway.http.conditions import entity_tags

TAG = '"abc"'


@pytest.mark.parametrize(
    ("lines", "tags"),
    [
        ([], None),
        (["*"], ("*",)),
        ([TAG], (TAG,)),
        ([f'{TAG}, W/"x" ,,"y"'], (TAG, 'W/"x"', '"y"')),
        ([TAG, '"y"'], (TAG, '"y"')),
        (['"a,b", ""'], ('"a,b"', '""')),
    ],
)
def test_lists_of_tags(lines: list[str], tags: tuple[str, ...] | None) -> None:
    """A header is `*` or a list, which may come in several lines (RFC 9110 sections 5.3 and 13.1.1)."""
    assert entity_tags(lines, "If-Match") == tags


@pytest.mark.parametrize(
    "text",
    ["", ",", "abc", "'abc'", f"*, {TAG}", 'w/"x"', '"a b"', '"a', f"{TAG} {TAG}", TAG * 500],
)
def test_malformed_lists(text: str) -> None:
    """Anything else is refused. It never counts as no condition."""
    with pytest.raises(BadRequest):
        entity_tags([text], "If-Match")


@pytest.mark.parametrize(
    ("method", "path", "headers", "code"),
    [
        ("POST", "/api/auth/signin", {"if-match": TAG}, "condition_unsupported"),
        ("POST", "/api/auth/signout", {"if-none-match": "*"}, "condition_unsupported"),
        ("DELETE", "/api/auth/second-factor", {"if-match": "*"}, "condition_unsupported"),
        ("PUT", "/api/settings", {"if-none-match": TAG}, "condition_unsupported"),
        ("PUT", "/api/settings", {"if-match": TAG, "if-none-match": "*"}, "condition_unsupported"),
        ("PUT", "/api/settings", {"if-match": "abc"}, "bad_request"),
        ("GET", "/api/settings", {"if-match": "abc"}, "unavailable"),
    ],
)
async def test_conditions_that_nothing_checks(
    method: str,
    path: str,
    headers: dict[str, str],
    code: str,
    *,
    http: httpx.AsyncClient,
    world: FakeServices,
    app: Tenant,
) -> None:
    """A condition is refused before a service is called, if none would check it."""
    world.key(app, "sk_live_x")
    headers = {"authorization": "Bearer sk_live_x", **headers}
    answer = await http.request(method, path, headers=headers, json={} if method != "GET" else None)

    assert answer.json()["code"] == code, answer.text
