"""The settings of the Dashboard in a new database."""

from __future__ import annotations

import asyncpg
from tests.kit.postgres import Postgres

from common.contracts.app_settings import AppSettings
from common.ids import DASHBOARD


async def test_nobody_signs_up_on_a_fresh_dashboard(postgres: Postgres) -> None:
    """Dashboard users may create applications, so sign-up needs an invitation. An invitation into a
    team is enough. Everybody there can turn on a second factor: operators must."""
    name = postgres.clone()
    owner = await asyncpg.connect(postgres.dsns(name)["owner"])
    stored = await owner.fetchval("SELECT settings FROM applications WHERE id = $1", DASHBOARD)
    await owner.close()
    postgres.drop(name)

    settings = AppSettings.model_validate_json(stored)
    assert (settings.signup_mode, settings.signup_by_organization_invitations) == (
        "invite_only",
        True,
    )
    assert settings.mfa_policy == "optional"
