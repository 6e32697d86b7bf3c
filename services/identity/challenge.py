"""The challenge that a stranger's browser solves before we do costly work: a captcha or a proof of
work. An application chooses either, both or none."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from common import captcha_secret, clock, crypto, logs
from common.attempt_limits import AttemptLimit
from common.context import Context
from common.contracts.app_settings import Captcha
from common.contracts.protection import CaptchaFailed, GetProtection, Protection
from common.contracts.sign_in import Attempt
from common.contracts.tenants import Tenant
from common.outgoing_http import Unreachable
from common.problems import RateLimited, Unavailable
from common.sealing import Unsealable
from identity.deps import Deps
from identity.limits import PROTECTION_BY_IP

log = logs.get(__name__)

PROOF_LASTS: Final = 300
"""Seconds."""
ONCE: Final = AttemptLimit("proof", 1, PROOF_LASTS)


async def get(deps: Deps, ctx: Context, request: GetProtection) -> Protection:
    """Returns what the browser has to solve, and the challenge for a proof of work."""
    settings = (await deps.tenants.get(ctx)).settings
    captcha = settings.captcha
    bits = settings.proof_of_work_bits
    return Protection(
        captcha_site_key=captcha.site_key if captcha else None,
        captcha_script_url=captcha.script_url if captcha else None,
        proof_challenge=_challenge(deps, ctx.app_id) if bits else None,
        proof_bits=bits,
    )


async def check(deps: Deps, ctx: Context, tenant: Tenant, attempt: Attempt) -> None:
    """Checks what the browser solved. Raises CaptchaFailed, RateLimited; Unavailable if the service
    of the captcha does not answer."""
    settings = tenant.settings
    if settings.proof_of_work_bits or settings.captcha:
        await deps.limits.count(ctx, (PROTECTION_BY_IP, ctx.ip))
    if settings.proof_of_work_bits:
        await _check_proof(deps, ctx, attempt.proof or "", settings.proof_of_work_bits)
    if settings.captcha is not None:
        await _check_captcha(deps, ctx, settings.captcha, attempt.captcha)


def _challenge(deps: Deps, app_id: str) -> str:
    """Returns `<expires>.<random>.<mac>`. Nothing is stored until it is used."""
    body = f"{int(clock.now()) + PROOF_LASTS}.{crypto.token(size=12)}"
    return f"{body}.{_mac(deps, app_id, body, deps.keys.active)}"


def _mac(deps: Deps, app_id: str, body: str, kid: str) -> str:
    return crypto.b64url(deps.keys.digest("proof", f"{app_id}|{body}".encode(), kid)[:16])


def _is_ours(deps: Deps, app_id: str, body: str, mac: str) -> bool:
    """Compares texts, and not the bytes that they stand for: a challenge that is written in another way would count
    as another one, and its proof could be used twice."""
    return any(
        hmac.compare_digest(mac.encode(), _mac(deps, app_id, body, kid).encode())
        for kid in deps.keys.configured
    )


async def _check_proof(deps: Deps, ctx: Context, proof: str, bits: int) -> None:
    challenge, _, answer = proof.rpartition(":")
    body, _, mac = challenge.rpartition(".")
    expires = body.partition(".")[0]
    if not _is_ours(deps, ctx.app_id, body, mac) or not expires.isdigit():
        raise CaptchaFailed("the proof of work is missing or not ours")
    if int(expires) < clock.now() or leading_zero_bits(f"{challenge}:{answer}") < bits:
        raise CaptchaFailed("the proof of work has expired or is wrong")
    try:
        await deps.limits.once(ctx, ONCE, challenge)
    except RateLimited:
        raise CaptchaFailed("the proof of work was used already") from None


def leading_zero_bits(text: str) -> int:
    """Returns how many leading bits of the text's SHA-256 are zero."""
    number = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    return 256 - number.bit_length()


async def _check_captcha(deps: Deps, ctx: Context, captcha: Captcha, response: str | None) -> None:
    """Turnstile, hCaptcha and reCAPTCHA all verify by this same form."""
    if not response:
        raise CaptchaFailed
    form = {"secret": await _secret(deps, ctx, captcha), "response": response}
    if ctx.ip:
        form["remoteip"] = ctx.ip
    try:
        answer = await deps.http.request("POST", captcha.verify_url, data=form)
        passed = answer.status == 200 and answer.json().get("success") is True
    except (Unreachable, ValueError, AttributeError) as error:
        log.warning("captcha not verified", error=str(error))
        raise Unavailable("the captcha service does not answer", retry_after=5) from None
    if not passed:
        raise CaptchaFailed


async def _secret(deps: Deps, ctx: Context, captcha: Captcha) -> str:
    if not captcha.secret:
        return ""
    async with deps.db.reader(ctx) as db:
        try:
            return await captcha_secret.opened(deps.sealer, db, ctx.app_id, captcha.secret)
        except Unsealable as error:
            log.error("captcha secret does not open", error=str(error))
            raise Unavailable("the captcha is not configured", retry_after=60) from None
