"""Custom domains."""

from __future__ import annotations

from common.events.base import Event


class CustomDomainAdded(Event, type="custom_domain_added"):
    """A domain was claimed for the application; it answers once its owner has proven it."""

    domain_id: str
    domain: str


class CustomDomainVerified(Event, type="custom_domain_verified"):
    """The domain's owner has proven it: the application answers there."""

    domain_id: str
    domain: str


class CustomDomainMadePrimary(Event, type="custom_domain_made_primary"):
    """Links and the issuer follow this domain from now on; null: the slug's host again."""

    domain: str | None


class CustomDomainLost(Event, type="custom_domain_lost"):
    """The proof of a domain is gone from the DNS: the application answers there no more."""

    domain_id: str
    domain: str


class CustomDomainRemoved(Event, type="custom_domain_removed"):
    """A domain was given up."""

    domain_id: str
    domain: str
