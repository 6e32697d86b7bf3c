"""Parameters as they come."""

from __future__ import annotations

import pytest

from common.contracts.oauth_errors import OAuthError
from oidc import params


def test_a_parameter_given_twice_is_refused_by_name() -> None:
    """RFC 6749 section 3.1; the name is shown in ASCII only."""
    with pytest.raises(OAuthError, match="scope is given more than once"):
        params.single([("scope", "a"), ("scope", "b")])
    with pytest.raises(OAuthError) as refused:
        params.single([('sc"<öpe', "a"), ('sc"<öpe', "b")])

    assert refused.value.detail == "scpe is given more than once"


def test_resource_may_repeat() -> None:
    """RFC 8707 section 2."""
    given = params.single([("resource", "https://a"), ("resource", "https://b")])

    assert given.listed("resource") == ["https://a", "https://b"]


def test_an_empty_parameter_is_one_left_out() -> None:
    """RFC 6749 section 3.1."""
    given = params.single([("state", ""), ("scope", "openid")])

    assert "state" not in given
    with pytest.raises(OAuthError, match="state is missing"):
        given.required("state")
