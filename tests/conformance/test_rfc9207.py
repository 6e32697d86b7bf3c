"""RFC 9207, the issuer in the authorization response, which prevents mix-up attacks."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.conformance.conftest import CALLBACK, Suite


@pytest.mark.parametrize("mode", ["query", "fragment", "form_post"])
async def test_it_is_in_every_answer(fresh: Suite, mode: str) -> None:
    """It is there once and equals that of discovery, with a code and with an error."""
    assert fresh.provider["authorization_response_iss_parameter_supported"] is True
    for prompt in ("none", "login"):
        result = await fresh.authorize(response_mode=mode, prompt=prompt)
        assert ("error" in result.fields) == (prompt == "none")
        assert result.fields["iss"] == fresh.provider["issuer"]
        if mode != "form_post":
            parts = urlsplit(result.page.url)
            assert bool(parts.query) == (mode == "query")
            names = [name for name, _ in parse_qsl(parts.query or parts.fragment)]
            assert names.count("iss") == 1
        assert result.location.split("?")[0].split("#")[0] == CALLBACK
