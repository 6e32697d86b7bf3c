"""RFC 6750, bearer tokens: where they may be, and how a wrong one is refused."""

from __future__ import annotations

import httpx
from tests.conformance.conftest import Suite


async def test_a_bearer_token_is_not_taken_from_the_query(fresh: Suite) -> None:
    """The challenge says what is wrong."""
    token = (await fresh.tokens())["access_token"]
    answer: httpx.Response = await fresh.http.get(
        fresh.provider["userinfo_endpoint"], params={"access_token": token}
    )
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer resource_metadata=")

    wrong = await fresh.userinfo(token + "x")
    assert 'error="invalid_token"' in wrong.headers["www-authenticate"]
