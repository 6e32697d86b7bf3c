"""RFC 8414, authorization server metadata: the same cacheable document at both addresses."""

from __future__ import annotations

from tests.conformance.conftest import Suite


async def test_both_well_known_addresses_agree(fresh: Suite) -> None:
    """The document may be cached, and a conditional request is answered with 304."""
    address = "/.well-known/oauth-authorization-server"
    answer = await fresh.http.get(address)
    assert answer.json() == fresh.provider
    assert "max-age" in answer.headers["cache-control"]

    etag = answer.headers["etag"]
    for wanted in (etag, f"W/{etag}", f'"old", {etag}', "*"):  # RFC 9110 section 13.1.2
        again = await fresh.http.get(address, headers={"if-none-match": wanted})
        assert again.status_code == 304, wanted
    for wanted in ('"old"', f'W/"old", "x{etag[1:]}'):
        again = await fresh.http.get(address, headers={"if-none-match": wanted})
        assert again.status_code == 200, wanted
