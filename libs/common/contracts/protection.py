"""Challenges that anonymous clients solve before costly work."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import OPEN, Contract, Request
from common.problems import (
    Invalid,
)


class CaptchaFailed(Invalid):
    code, title = "captcha_failed", "Please confirm that you are human and try again."


class Protection(Contract):
    """The challenge that anonymous clients solve before the application does costly work."""

    captcha_site_key: str | None = None
    captcha_script_url: str | None = None
    proof_challenge: str | None = Field(
        default=None, description="Find `n` so that sha256(challenge + ':' + n) begins with bits."
    )
    proof_bits: int = 0


class GetProtection(
    Request[Protection], subject="identity.protection.get", needs=OPEN, within=1.0, safe=True
):
    """Captcha and proof of work to answer; `proof` is then `<challenge>:<n>`, once."""
