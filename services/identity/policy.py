"""Which passwords are good enough (NIST SP 800-63B-4 section 3.1.1.2): length and guessability, never
composition."""

from __future__ import annotations

import hashlib
from typing import Final

from zxcvbn.frequency_lists import FREQUENCY_LISTS

from common import logs
from common.context import Context
from common.contracts.passwords import WeakPassword
from common.contracts.tenants import Tenant
from common.outgoing_http import Unreachable
from identity.deps import Deps
from identity.hashing import MAX_BYTES, normalized, too_long
from identity.password_score import score

log = logs.get(__name__)

COMMON: Final = frozenset(FREQUENCY_LISTS["passwords"])
PRESENT: Final = "This is your present password. Choose another one."
COMMONPLACE: Final = "It is too common or too close to your name, address or this application."
SHORTEST_TOLD: Final = 4
"""A shorter name inside a password is chance."""


async def check(
    deps: Deps, ctx: Context, tenant: Tenant, password: str, *, email: str | None, name: str | None
) -> None:
    """Raises WeakPassword, with a sentence for each thing that is wrong; Busy."""
    password = normalized(password)
    settings = tenant.settings
    told = told_of(tenant, email, name)
    faults = faults_of(password, settings.password_min_length, told)
    if COMMONPLACE not in faults and not too_long(password):
        points = await deps.hashing.run(ctx.app_id, lambda: score(password, told))
        if points < settings.password_min_score:
            faults.append(
                "It is easy to guess. Use more words, or words that do not belong together."
            )
    if not faults and settings.password_breach_check and await breached(deps, password):
        faults = ["It is in a published list of stolen passwords. Choose another one."]
    if faults:
        errors = [{"field": "password", "message": fault} for fault in faults]
        raise WeakPassword(faults[0], errors=errors)


def present() -> WeakPassword:
    """The refusal of a new password that is the one it is to replace."""
    return WeakPassword(PRESENT, errors=[{"field": "password", "message": PRESENT}])


def told_of(tenant: Tenant, email: str | None, name: str | None) -> list[str]:
    """What is known of the person and the place: no part of a password."""
    local, _, domain = (email or "").partition("@")
    found = [tenant.name, tenant.slug, local, email or "", domain.split(".")[0], name or ""]
    return [text.lower() for text in found if len(text) >= SHORTEST_TOLD]


def faults_of(password: str, least: int, known_words: list[str]) -> list[str]:
    """What is wrong at first sight, each in a sentence."""
    faults: list[str] = []
    if len(password) < least:
        faults.append(f"It has to be at least {least} characters long.")
    if too_long(password):
        faults.append(f"It may be at most {MAX_BYTES} bytes long.")
    lower = password.lower()
    if lower in COMMON or lower.strip("0123456789!?.*-_ ") in known_words:
        faults.append(COMMONPLACE)
    return faults


async def breached(deps: Deps, password: str) -> bool:
    """k-anonymity: only five hexadecimal digits of its SHA-1 leave this machine. An endpoint that
    does not answer is no reason to keep somebody from choosing a password."""
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
    url = deps.breach_url.rstrip("/") + "/" + digest[:5]
    try:
        answer = await deps.http.request("GET", url, headers={"Add-Padding": "true"})
    except Unreachable as error:
        log.warning("breach check failed", error=str(error))
        return False
    if answer.status != 200:
        log.warning("breach check failed", status=answer.status)
        return False
    for line in answer.body.decode("ascii", "replace").splitlines():
        suffix, _, count = line.strip().partition(":")
        if suffix.upper() == digest[5:]:
            return count.strip() not in ("", "0")  # padding lines have the count 0
    return False
