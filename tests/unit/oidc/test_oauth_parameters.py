"""Parameters of OAuth requests."""

from __future__ import annotations

import pytest

from common.contracts.oauth_errors import OAuthError
from oidc import oauth_parameters


def test_a_parameter_given_twice_is_refused_by_name() -> None:
    """The error shows the name in ASCII only (RFC 6749 section 3.1)."""
    with pytest.raises(OAuthError, match="scope is given more than once"):
        oauth_parameters.without_repeats([("scope", "a"), ("scope", "b")])
    with pytest.raises(OAuthError) as refused:
        oauth_parameters.without_repeats([('sc"<öpe', "a"), ('sc"<öpe', "b")])

    assert refused.value.detail == "scpe is given more than once"


def test_resource_may_repeat() -> None:
    """RFC 8707 section 2."""
    parameters = oauth_parameters.without_repeats(
        [("resource", "https://a"), ("resource", "https://b")]
    )

    assert parameters.values_of("resource") == ["https://a", "https://b"]


def test_an_empty_parameter_is_one_left_out() -> None:
    """RFC 6749 section 3.1."""
    parameters = oauth_parameters.without_repeats([("state", ""), ("scope", "openid")])

    assert "state" not in parameters
    with pytest.raises(OAuthError, match="state is missing"):
        parameters.required("state")
