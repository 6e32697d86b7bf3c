"""Which addresses an application takes new users with."""

from __future__ import annotations

from collections.abc import Iterable

from disposable_email_domains import blocklist

from common.addresses import address_key
from common.contracts.sign_up import SignUpClosed
from common.contracts.tenancy import AppSettings
from common.problems import Invalid


def domain_of(email: str) -> str:
    """Returns the key of the address's domain."""
    return address_key(email).rpartition("@")[2]


def refusal(settings: AppSettings, email: str) -> str | None:
    """Why this address cannot sign up, in a sentence; None where it can."""
    domain = domain_of(email)
    if settings.signup_mode == "restricted" and not _among(domain, settings.allowed_email_domains):
        return "Addresses of this domain cannot sign up here."
    if _among(domain, settings.blocked_email_domains):
        return "Addresses of this domain cannot sign up here."
    if settings.block_disposable_email and _among(domain, blocklist):
        return "Use an address that lasts: disposable ones cannot sign up here."
    return None


def allow(settings: AppSettings, email: str, *, invited: bool = False) -> None:
    """Raises SignUpClosed, or Invalid naming the field. Whoever an organization invited may come
    where new users come by invitation only; the rules for domains hold for him too."""
    if settings.signup_mode == "invite_only" and not invited:
        raise SignUpClosed
    reason = refusal(settings, email)
    if reason is not None:
        raise Invalid(reason, errors=[{"field": "email", "message": reason}])


def _among(domain: str, listed: Iterable[str]) -> bool:
    """The domain itself or one above it is listed."""
    known = listed if isinstance(listed, set) else set(listed)
    labels = domain.split(".")
    return any(".".join(labels[start:]) in known for start in range(len(labels)))
