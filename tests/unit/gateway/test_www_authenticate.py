"""Each 401 of an OAuth endpoint tells how to authenticate (RFC 9110 section 15.5.2)."""

from __future__ import annotations

from common.contracts.oauth_errors import InvalidClient, InvalidGrant
from gateway.http.response import oauth_error


def test_a_refused_client_is_challenged() -> None:
    """A refused client gets WWW-Authenticate, whether it used the header, the body or nothing."""
    refused = oauth_error(InvalidClient("no"))

    assert refused.status == 401
    assert (b"www-authenticate", b'Basic realm="token"') in refused.headers


def test_no_other_error_is_a_challenge() -> None:
    """Other errors have no challenge, because a browser would ask its user for a password."""
    refused = oauth_error(InvalidGrant("no"))

    assert refused.status == 400
    assert b"www-authenticate" not in dict(refused.headers)
