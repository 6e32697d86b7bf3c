"""What a fresh database says of the Dashboard."""

from __future__ import annotations

import asyncpg
from tests.kit.postgres import Postgres

from common.contracts.app_settings import AppSettings
from common.ids import DASHBOARD


async def test_nobody_signs_up_on_a_fresh_dashboard(postgres: Postgres) -> None:
    """A user of the Dashboard may create applications, so sign-up takes an invitation. One to a
    team is enough: a colleague gets one mail, not two."""
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
