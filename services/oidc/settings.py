"""Settings of the oidc service."""

from __future__ import annotations

from pydantic import Field, SecretStr

from common.settings import DatabaseSettings, EgressSettings


class Settings(DatabaseSettings, EgressSettings):
    """Lifetimes here are the platform's; those of tokens are the client's."""

    sweep_database_url: SecretStr
    logout_database_url: SecretStr
    code_lifetime: int = Field(default=60, ge=5, le=600, description="Seconds.")
    refresh_grace: int = Field(
        default=10, ge=0, le=60, description="Seconds in which a parent gets its child again."
    )
    key_rotation_days: int = Field(default=90, ge=1, le=3650)
    key_publish_hours: float = Field(
        default=24, ge=0, le=720, description="A key is published this long before it signs."
    )
    key_keep_hours: float = Field(
        default=48, ge=25, le=8760, description="A replaced key verifies this long."
    )
