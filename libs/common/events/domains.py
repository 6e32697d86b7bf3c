"""Custom domains."""

from __future__ import annotations

from common.events.base import Event


class CustomDomainAdded(Event, type="custom_domain_added"):
    """A custom domain was added. The application answers on it once it is verified."""

    domain_id: str
    domain: str


class CustomDomainVerified(Event, type="custom_domain_verified"):
    """A custom domain was verified. The application answers on it."""

    domain_id: str
    domain: str


class CustomDomainMadePrimary(Event, type="custom_domain_made_primary"):
    """A domain became the domain of links and of the issuer. `null` stands for the host of the
    slug."""

    domain: str | None


class CustomDomainLost(Event, type="custom_domain_lost"):
    """A custom domain lost its verification, because its DNS record is gone. The application no
    longer answers on it."""

    domain_id: str
    domain: str


class CustomDomainRemoved(Event, type="custom_domain_removed"):
    """A custom domain was removed."""

    domain_id: str
    domain: str
