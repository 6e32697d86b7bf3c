"""Parameters of OAuth requests: by name, each once (RFC 6749 sections 3.1 and 3.2)."""

from __future__ import annotations

from common.contracts.authorization import Params
from common.contracts.oauth_errors import OAuthError

REPEATABLE = frozenset({"resource", "audience"})
"""A request may name several resources (RFC 8707 section 2)."""


class OAuthParameters(dict[str, str]):
    """The first value of each parameter. `all_values` has every value of each.

    A parameter without a value counts as missing (RFC 6749 section 3.1).
    """

    all_values: dict[str, list[str]]

    def required(self, name: str) -> str:
        """Returns the parameter. Raises OAuthError `invalid_request` if it is missing."""
        value = self.get(name)
        if not value:
            raise OAuthError(f"{name} is missing")
        return value

    def values_of(self, name: str) -> list[str]:
        """Returns all values of a parameter that may be repeated."""
        return self.all_values.get(name, [])


def without_repeats(params: Params) -> OAuthParameters:
    """Returns the parameters by name. Raises OAuthError `invalid_request` if one is repeated.

    RFC 6749 sections 3.1 and 3.2 forbid repeated parameters. RFC 8707 section 2 allows `resource`.
    """
    parameters = by_name(params)
    for name, values in parameters.all_values.items():
        if len(values) > 1 and name not in REPEATABLE:
            raise OAuthError(f"{printable(name)} is given more than once")
    return parameters


def by_name(params: Params) -> OAuthParameters:
    """Returns the parameters by name, repeated or not."""
    parameters = OAuthParameters()
    parameters.all_values = {}
    for name, value in params:
        if value:
            parameters.all_values.setdefault(name, []).append(value)
            parameters.setdefault(name, value)
    return parameters


def printable(name: str) -> str:
    """Shortens a parameter's name to characters that an error description may have.

    RFC 6749 section 5.2 allows printable ASCII.
    """
    return (
        "".join(c for c in name[:40] if c.isascii() and (c.isalnum() or c in "_-")) or "a parameter"
    )
