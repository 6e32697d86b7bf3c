"""Protection of sign-in forms against robots: captcha and proof of work."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import OPEN, Contract, Request
from common.problems import (
    Invalid,
)


class CaptchaFailed(Invalid):
    """The captcha or the proof of work is missing or wrong."""

    code, title = "captcha_failed", "Confirm that you are human and try again."


class Protection(Contract):
    """The captcha and the proof of work that sign-in forms must send."""

    captcha_site_key: str | None = None
    captcha_script_url: str | None = None
    proof_challenge: str | None = Field(
        default=None,
        description="Find an `n` for which sha256(challenge + ':' + n) begins with `proof_bits` zero bits.",
    )
    proof_bits: int = 0


class GetProtection(
    Request[Protection], subject="identity.protection.get", needs=OPEN, within=1.0, safe=True
):
    """Returns the captcha and the challenge to solve. Send the solution as `proof`, in the form
    `<challenge>:<n>`. Each solution works once."""
