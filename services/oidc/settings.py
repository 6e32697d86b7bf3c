"""Settings of the oidc service."""

from __future__ import annotations

from pydantic import Field, SecretStr

from common.settings import DatabaseSettings, EgressSettings


class Settings(DatabaseSettings, EgressSettings):
    """Settings of the whole deployment. Lifetimes of tokens are settings of each client."""

    sweep_database_url: SecretStr = Field(
        description="DSN with the role `aero2_sweep`: deletes what has expired."
    )
    logout_database_url: SecretStr = Field(
        description="DSN with the role `aero2_logout`: delivers logout tokens."
    )
    code_lifetime: int = Field(
        default=60, ge=5, le=600, description="Seconds in which an authorization code is redeemed."
    )
    refresh_grace: int = Field(
        default=10,
        ge=0,
        le=60,
        description="Seconds in which a replaced refresh token still leads to its successor.",
    )
    key_rotation_days: int = Field(
        default=90, ge=1, le=3650, description="Days until a signing key is replaced."
    )
    key_publish_hours: float = Field(
        default=24,
        ge=0,
        le=720,
        description="Hours that a signing key is published before it signs.",
    )
    key_keep_hours: float = Field(
        default=48,
        ge=25,
        le=8760,
        description="Hours that a replaced signing key still verifies.",
    )
    limit_scale: float = Field(
        default=1.0,
        ge=0,
        le=1000,
        description="Multiplies every limit, of signing in and against floods. 0 turns them off, "
        "for load tests.",
    )
