"""Parameters of OAuth requests: single values, and what is missing named."""

from __future__ import annotations

from common.contracts.authorization import Params
from common.contracts.oauth_errors import OAuthError

REPEATABLE = frozenset({"resource", "audience"})
"""RFC 8707 section 2 lets `resource` be given more than once."""


class Given(dict[str, str]):
    """The parameters by name; `all` keeps every value of those that may repeat."""

    all: dict[str, list[str]]

    def required(self, name: str) -> str:
        """Raises invalid_request naming it. A parameter without value counts as left out
        (RFC 6749 section 3.1)."""
        value = self.get(name)
        if not value:
            raise OAuthError(f"{name} is missing")
        return value

    def listed(self, name: str) -> list[str]:
        return self.all.get(name, [])


def single(params: Params) -> Given:
    """RFC 6749 sections 3.1 and 3.2: no parameter more than once. Raises invalid_request."""
    given = gathered(params)
    for name, values in given.all.items():
        if len(values) > 1 and name not in REPEATABLE:
            raise OAuthError(f"{printable(name)} is given more than once")
    return given


def gathered(params: Params) -> Given:
    """By name, the first value counting where there are several."""
    given = Given()
    given.all = {}
    for name, value in params:
        if value:
            given.all.setdefault(name, []).append(value)
            given.setdefault(name, value)
    return given


def printable(name: str) -> str:
    """A parameter's name in an error description: ASCII, short (RFC 6749 section 5.2)."""
    return "".join(c for c in name[:40] if c.isascii() and (c.isalnum() or c in "_-")) or "it"
