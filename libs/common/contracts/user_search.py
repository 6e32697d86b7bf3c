"""The search for the users of one address in all applications, for operators."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from common.contracts.base import Contract, Id, Request
from common.contracts.fields import Email, Reason
from common.contracts.platform_applications import ApplicationLabel

MOST_FOUND: Final = 100
"""Users that one search returns."""


class LocatedUser(Contract):
    """A user of an application, without their profile."""

    application: ApplicationLabel
    user_id: Id
    state: Literal["active", "disabled"]
    email_verified: bool = False
    guest: bool = Field(default=False, description="Whether the user has no credentials yet.")


class LocatedUsers(Contract):
    """The users of one address, at most one in each application and at most 100."""

    users: list[LocatedUser]
    has_more: bool = Field(default=False, description="Whether more applications have such a user.")


class SearchUsers(
    Request[LocatedUsers],
    subject="identity.platform.search_users",
    needs="platform:manage",
    within=10.0,
    fresh=True,
):
    """Returns the users with this address in all applications. The Dashboard's log has the search, and
    the log of each application has the users of it that were found. Raises RateLimited, and Forbidden
    outside the Dashboard or for a caller who is not signed in."""

    email: Email
    reason: Reason = Field(description="Why you search. The teams of the applications can read it.")
