"""Rules for the addresses that an application accepts for new users."""

from __future__ import annotations

from collections.abc import Iterable

from disposable_email_domains import blocklist

from common.address_keys import address_key
from common.contracts.app_settings import AppSettings
from common.contracts.sign_up import SignUpClosed
from common.field_errors import FieldError, field_error
from common.ids import DASHBOARD
from common.problems import Invalid


def domain_of(email: str) -> str:
    """Returns the key of the address's domain."""
    return address_key(email).rpartition("@")[2]


def refusal(settings: AppSettings, email: str) -> FieldError | None:
    """Returns why this address cannot sign up, or None if it can."""
    domain = domain_of(email)
    if settings.signup_mode == "restricted" and not _among(domain, settings.allowed_email_domains):
        return field_error("email", "email_domain_refused")
    if _among(domain, settings.blocked_email_domains):
        return field_error("email", "email_domain_refused")
    if settings.block_disposable_email and _among(domain, blocklist):
        return field_error("email", "email_disposable")
    return None


def names_operator(operator_email: str | None, app_id: str, email: str) -> bool:
    """Returns whether the deployment names this address as the operator of its Dashboard. Its owner
    may sign up whatever the settings of the Dashboard say."""
    return (
        app_id == DASHBOARD and operator_email is not None and address_key(email) == operator_email
    )


def allow(settings: AppSettings, email: str, *, invited: bool = False) -> None:
    """Checks whether an address may sign up. An invitation into an organization admits its
    recipient to an application that is closed otherwise, but not past the rules for domains. Raises
    SignUpClosed, or Invalid with a field error."""
    if settings.signup_mode == "invite_only" and not invited:
        raise SignUpClosed
    allow_domain(settings, email)


def allow_domain(settings: AppSettings, email: str) -> None:
    """Checks the rules for domains, which also hold for a change of address. Raises Invalid with a
    field error."""
    reason = refusal(settings, email)
    if reason is not None:
        raise Invalid(reason["message"], errors=[reason])


def _among(domain: str, listed: Iterable[str]) -> bool:
    """Returns whether the domain itself or a domain above it is listed."""
    known = listed if isinstance(listed, set) else set(listed)
    labels = domain.split(".")
    return any(".".join(labels[start:]) in known for start in range(len(labels)))
