"""What an application asks of strangers before costly work is done: a captcha, a proof of work."""

from __future__ import annotations

from typing import Any, Final

from common.contracts.protection import GetProtection, Protection
from gateway.http import csrf
from gateway.http.request import GatewayRequest
from gateway.pages.fields import Fields

KEY: Final = "protection"
ANSWERS: Final = ("cf-turnstile-response", "h-captcha-response", "g-recaptcha-response")
"""The fields that the three widgets of one interface fill."""


async def prepare(visit: GatewayRequest) -> None:
    """Ask identity what this page's forms have to bring, where the application wants anything."""
    settings = visit.app.settings
    if settings.captcha is not None or settings.proof_of_work_bits:
        visit.scope[KEY] = await visit.gateway.bus.call(visit.context(), GetProtection())


def asked(visit: GatewayRequest) -> Protection:
    """What the forms of this page have to bring."""
    found = visit.scope.get(KEY)
    return found if isinstance(found, Protection) else Protection()


def attempt(visit: GatewayRequest, fields: Fields, locale: str) -> dict[str, Any]:
    """What comes along with every attempt of a stranger (see the contract Attempt)."""
    captcha = next((fields[name] for name in ANSWERS if fields.get(name)), None)
    return {
        "browser": csrf.browser_id(visit),
        "locale": locale,
        "captcha": captcha[:4096] if captcha else None,
        "proof": (fields.given("proof") or "")[:400] or None,
    }
