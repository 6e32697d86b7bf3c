"""Support views: an operator reads the data of one user, for a reason and for half an hour."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from common.contracts.audit_log import AuditRecord
from common.contracts.base import Contract, Id, Request
from common.contracts.fields import Reason, Timestamp
from common.contracts.platform_applications import ApplicationLabel
from common.contracts.profiles import User
from common.contracts.second_factors import SecondFactors
from common.contracts.sessions import SessionEntry
from common.problems import NotFound

MINUTES: Final = 30
"""How long a support view is open."""


class SupportViewNotOpen(NotFound):
    """The caller has not opened the support view of this user in their session, or it has ended."""

    code, title = (
        "support_view_not_open",
        "Give a reason first. A support view is open for 30 minutes.",
    )


class OpenedSupportView(Contract):
    """A support view that the caller has opened."""

    application_id: Id
    user_id: Id
    expires_at: Timestamp


class OpenSupportView(
    Request[OpenedSupportView],
    subject="identity.support_view.open",
    needs="platform:manage",
    fresh=True,
):
    """Opens the support view of a user for 30 minutes, in the caller's session only. The logs of the
    application and of the Dashboard have it, with the reason. Raises UserNotFound, RateLimited, and
    Forbidden outside the Dashboard or for a caller who is not signed in."""

    application_id: Id
    user_id: Id
    reason: Reason = Field(
        description="Why you need the data. The team of the application can read it."
    )


class SupportView(OpenedSupportView):
    """The data of a user for an operator: the profile without metadata, how they sign in, their latest
    sessions and events. Nothing in it can be changed."""

    application: ApplicationLabel
    reason: str
    user: User = Field(description="The profile. All metadata is left out.")
    factors: SecondFactors
    providers: list[str] = Field(description="The identity providers of connected accounts.")
    sessions: list[SessionEntry] = Field(description="The latest 20 that are valid.")
    events: list[AuditRecord] = Field(description="The latest 20.")


class GetSupportView(
    Request[SupportView],
    subject="identity.support_view.get",
    needs="platform:manage",
    within=5.0,
    safe=True,
    impersonated=False,
):
    """Returns the data of a user whose support view the caller has opened. Raises SupportViewNotOpen,
    and Forbidden outside the Dashboard."""

    application_id: Id
    user_id: Id
