"""The secret of the captcha, among an application's settings: sealed in the database, never
shown."""

from __future__ import annotations

from typing import Any, Final

from common.contracts.app_settings import AppSettings
from common.db import Db
from common.field_errors import field_error
from common.problems import Invalid
from common.sealing import Sealer

HIDDEN: Final = "********"
"""Shown in place of the secret. If a client sends it back, the secret stays as it is."""


def _place(app_id: str) -> tuple[str, str, str]:
    return ("applications", "captcha_secret", app_id)


async def sealed(
    sealer: Sealer, db: Db, app_id: str, *, stored: dict[str, Any], settings: dict[str, Any]
) -> dict[str, Any]:
    """Returns `settings` as they may be stored: a new secret is sealed, an unchanged one stays. Raises
    Invalid if the stored secret would go to another server."""
    captcha = settings.get("captcha")
    if not captcha:
        return settings
    earlier = stored.get("captcha") or {}
    before = earlier.get("secret")
    secret = captcha.get("secret")
    if secret is None or secret == HIDDEN:
        if before is not None and captcha["verify_url"] != earlier.get("verify_url"):
            raise Invalid(errors=[field_error("captcha.secret", "captcha_secret_required_again")])
        secret = before
    elif secret != before:
        secret = await sealer.seal(db, app_id, _place(app_id), secret.encode())
    return {**settings, "captcha": {**captcha, "secret": secret}}


async def opened(sealer: Sealer, db: Db, app_id: str, secret: str) -> str:
    """Returns the secret. Raises Unsealable."""
    return (await sealer.open(db, app_id, _place(app_id), secret)).decode()


def hidden(settings: AppSettings) -> AppSettings:
    """Returns the settings as a reply may show them."""
    captcha = settings.captcha
    if captcha is None or captcha.secret is None:
        return settings
    masked = captcha.model_copy(update={"secret": HIDDEN})
    return settings.model_copy(update={"captcha": masked})
