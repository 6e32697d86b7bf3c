"""The check of `aero2 doctor` that signs in to the mail server, and sends nothing."""

from __future__ import annotations

import aiosmtplib

from aero2.doctor_findings import Finding, failure, ok, skipped, warning
from aero2.doctor_target import Target
from common.contracts.mail_sender import SenderStep
from identity.smtp import BadSmtpUrl, SenderFailed, Smtp

FAULTS = {
    "connect": "does not answer",
    "tls": "offers no TLS that can be trusted",
    "sign_in": "refuses our user and password",
}


async def check_mail(target: Target) -> list[Finding]:
    """Codes and links go by mail: without a server nobody resets a password."""
    if not target.smtp_url:
        if target.is_local:
            return skipped("mail", "AERO2_SMTP_URL is not set: mail is shown on the mail page")
        return warning(
            "mail",
            "AERO2_SMTP_URL is not set here: unless identity has it, mail is not delivered.",
            "Set AERO2_SMTP_URL and AERO2_MAIL_FROM.",
        )
    passed: list[SenderStep] = []
    try:
        server = Smtp.parse(target.smtp_url)
        client = await server.open(passed)
    except BadSmtpUrl as error:
        return failure("mail", f"AERO2_SMTP_URL is not valid: {error}.", "Correct it.")
    except SenderFailed as error:
        return failure(
            "mail",
            f"The mail server {server.host}:{server.port} {FAULTS.get(error.step, 'fails')}.",
            "Look at AERO2_SMTP_URL, the firewall, and the account at the mail provider.",
        )
    try:
        await client.quit()
    except (aiosmtplib.SMTPException, OSError):
        client.close()
    return ok("mail", f"The mail server {server.host}:{server.port} accepts us.")
