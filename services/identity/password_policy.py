"""Rules for passwords (NIST SP 800-63B-4 section 3.1.1.2): length and guessability, never
composition."""

from __future__ import annotations

import hashlib
from typing import Final

from zxcvbn.frequency_lists import FREQUENCY_LISTS

from common import logs
from common.context import Context
from common.contracts.passwords import WeakPassword
from common.contracts.tenants import Tenant
from common.field_errors import FieldError, field_error
from common.outgoing_http import Unreachable
from identity.deps import Deps
from identity.hashing import MAX_BYTES, normalized, too_long
from identity.password_score import score

log = logs.get(__name__)

COMMON: Final = frozenset(FREQUENCY_LISTS["passwords"])
SHORTEST_KNOWN: Final = 4
"""A shorter name inside a password is chance."""


async def check(
    deps: Deps, ctx: Context, tenant: Tenant, password: str, *, email: str | None, name: str | None
) -> None:
    """Checks a new password. Raises WeakPassword with a field error for each rule that it breaks,
    and Busy."""
    password = normalized(password)
    settings = tenant.settings
    told = known_words(tenant, email, name)
    faults = first_faults(password, settings.password_min_length, told)
    if not too_long(password) and all(fault["code"] != "password_common" for fault in faults):
        points = await deps.hashing.run(ctx.app_id, lambda: score(password, told))
        if points < settings.password_min_score:
            faults.append(field_error("password", "password_guessable"))
    if not faults and settings.password_breach_check and await is_breached(deps, password):
        faults = [field_error("password", "password_breached")]
    if faults:
        raise WeakPassword(faults[0]["message"], errors=faults)


def unchanged_password() -> WeakPassword:
    """Returns the error for a new password that is the same as the old one."""
    fault = field_error("password", "password_unchanged")
    return WeakPassword(fault["message"], errors=[fault])


def known_words(tenant: Tenant, email: str | None, name: str | None) -> list[str]:
    """Returns words that are known about the person and the application: a password must not
    consist of one."""
    local, _, domain = (email or "").partition("@")
    found = [tenant.name, tenant.slug, local, email or "", domain.split(".")[0], name or ""]
    return [text.lower() for text in found if len(text) >= SHORTEST_KNOWN]


def first_faults(password: str, least: int, known_words: list[str]) -> list[FieldError]:
    """Returns what is wrong with a password before its strength is measured."""
    faults: list[FieldError] = []
    if len(password) < least:
        faults.append(field_error("password", "password_too_short", minimum=least))
    if too_long(password):
        faults.append(field_error("password", "password_too_long", maximum=MAX_BYTES))
    lower = password.lower()
    if lower in COMMON or lower.strip("0123456789!?.*-_ ") in known_words:
        faults.append(field_error("password", "password_common"))
    return faults


async def is_breached(deps: Deps, password: str) -> bool:
    """Returns whether the password is in a list of breached passwords. Only five hexadecimal digits
    of its SHA-1 leave this machine (k-anonymity). If the endpoint does not answer, the password is
    accepted."""
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
