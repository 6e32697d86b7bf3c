"""Which addresses an application takes new users with."""

from __future__ import annotations

from collections.abc import Iterable

from disposable_email_domains import blocklist

from common.addresses import address_key
from common.contracts.app_settings import AppSettings
from common.contracts.sign_up import SignUpClosed
from common.ids import DASHBOARD
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


def names_operator(operator_email: str | None, app_id: str, email: str) -> bool:
    """Whether the deployment names this address as the operator of its Dashboard. Its owner gets
    in whatever the Dashboard's settings say."""
    return (
        app_id == DASHBOARD and operator_email is not None and address_key(email) == operator_email
    )


def allow(settings: AppSettings, email: str, *, invited: bool = False) -> None:
    """Raises SignUpClosed, or Invalid naming the field. Whoever an organization invited may come
    where new users come by invitation only; the rules for domains hold for him too."""
    if settings.signup_mode == "invite_only" and not invited:
        raise SignUpClosed
    allow_domain(settings, email)


def allow_domain(settings: AppSettings, email: str) -> None:
    """Raises Invalid naming the field. A change of address obeys the rules for domains too."""
    reason = refusal(settings, email)
    if reason is not None:
        raise Invalid(reason, errors=[{"field": "email", "message": reason}])


def _among(domain: str, listed: Iterable[str]) -> bool:
    """The domain itself or one above it is listed."""
    known = listed if isinstance(listed, set) else set(listed)
    labels = domain.split(".")
    return any(".".join(labels[start:]) in known for start in range(len(labels)))
