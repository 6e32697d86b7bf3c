"""The challenge for anonymous visitors before costly work: a captcha or a proof of work."""

from __future__ import annotations

from typing import Any, Final

from common.contracts.protection import GetProtection, Protection
from gateway.auth import remembered_devices
from gateway.http import csrf
from gateway.http.request import GatewayRequest
from gateway.pages.fields import Fields
from gateway.state import Gateway

CAPTCHA_FIELDS: Final = ("cf-turnstile-response", "h-captcha-response", "g-recaptcha-response")
"""The fields that the widgets of the three providers fill."""


async def prepare(gateway: Gateway, request: GatewayRequest) -> None:
    """Asks identity what the forms of this page need, if the application has a challenge."""
    settings = request.app.settings
    if settings.captcha is not None or settings.proof_of_work_bits:
        request.state.protection = await gateway.bus.call(request.context(), GetProtection())


def protection_of(request: GatewayRequest) -> Protection:
    """Returns what the forms of this page need."""
    return request.state.protection or Protection()


def attempt(
    gateway: Gateway, request: GatewayRequest, fields: Fields, locale: str
) -> dict[str, Any]:
    """Returns what every attempt of an anonymous visitor has (see the contracts Attempt and
    SignInAttempt)."""
    captcha = next((fields[name] for name in CAPTCHA_FIELDS if fields.get(name)), None)
    return {
        "browser": csrf.browser_id(gateway.settings, request),
        "devices": remembered_devices.values(gateway, request),
        "locale": locale,
        "captcha": captcha[:4096] if captcha else None,
        "proof": (fields.text_or_none("proof") or "")[:400] or None,
    }
