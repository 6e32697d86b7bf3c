"""The result of an authentication, from which a session starts."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime

from common import acr


@dataclass(frozen=True)
class AuthenticationResult:
    """How a user has proven who they are.

    `email` is the address that the user has just proven, and `phc` the hash that the password
    matched. `previous` is the session that the new one replaces."""

    method: str
    amr: list[str]
    email: str | None = None
    phc: str | None = field(default=None, repr=False)
    browser: str | None = field(default=None, repr=False)
    remember: bool = False
    idempotency_key: str | None = field(default=None, repr=False)
    idp_name: str | None = None
    previous: str | None = None
    new_user: bool = False
    joins_team: bool = False
    """Whether a new user signed up by an invitation into an organization."""
    auth_time: datetime | None = None
    acr: str | None = None
    """`auth_time` and `acr` come from the replaced session if the user proved nothing again."""

    @property
    def earned(self) -> str:
        """The class of the sign-in (`acr`)."""
        return self.acr or acr.earned(self.amr, by_mail=self.email is not None)


def with_new_user(
    result: AuthenticationResult, fresh: bool, *, joins_team: bool = False
) -> AuthenticationResult:
    """Returns the result with a mark for a user who was just created."""
    return dataclasses.replace(result, new_user=fresh, joins_team=joins_team)
