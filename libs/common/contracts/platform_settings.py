"""Settings of the platform: what new applications start with, and how many a team may have."""

from __future__ import annotations

from pydantic import ConfigDict, Field, field_validator

from common.contracts.app_settings import AppSettings
from common.contracts.base import Contract, Request
from common.contracts.fields import Timestamp
from common.contracts.settings_change import SettingsChange
from common.contracts.versioned import Versioned
from common.field_errors import value_error
from common.operator_rules import OPERATES
from common.problems import Conflict

MOST_PER_TEAM: int = 10_000


class ApplicationLimitReached(Conflict):
    """The team has as many applications as the platform allows a team."""

    code = "application_limit_reached"
    title = "The team has as many applications as it may have. Ask an operator for more."


class PlatformSettings(Versioned):
    """The settings of the platform. Everything else is set in the environment."""

    applications_per_team: int | None = Field(
        default=None,
        description="The largest number of applications that a team may have. `null`: no limit.",
    )
    new_applications: AppSettings = Field(
        default=AppSettings(), description="The settings that a new application starts with."
    )
    updated_at: Timestamp | None = Field(
        default=None, description="The time of the last change. `null`: nothing was changed yet."
    )


class PlatformSettingsChange(Contract):
    """Settings of the platform to change. Settings that you leave out stay as they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    applications_per_team: int | None = Field(
        default=None,
        ge=1,
        le=MOST_PER_TEAM,
        description="`null`: no limit. Teams that have more keep them.",
    )
    new_applications: SettingsChange = Field(
        default=SettingsChange(),
        description="Only the settings that you send change. `null` restores a default. "
        "Applications that exist stay as they are.",
    )

    @field_validator("new_applications")
    @classmethod
    def _without_secret(cls, settings: SettingsChange) -> SettingsChange:
        """A captcha has a secret, which belongs to one application."""
        if settings.captcha is not None:
            raise value_error("not_for_new_applications")
        return settings


class GetPlatformSettings(
    Request[PlatformSettings], subject="tenancy.platform_settings.get", needs=OPERATES, safe=True
):
    """Returns the settings of the platform. Only in the Dashboard."""


class UpdatePlatformSettings(
    Request[PlatformSettings],
    subject="tenancy.platform_settings.update",
    needs=OPERATES,
    conditional=True,
):
    """Changes settings of the platform and returns all of them. Only in the Dashboard."""

    changes: PlatformSettingsChange
