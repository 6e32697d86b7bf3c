"""Custom domains of an application."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from common.address_keys import domain_key
from common.contracts.base import SYSTEM, Contract, Done, Id, Request
from common.contracts.fields import Timestamp
from common.field_errors import value_error
from common.problems import Conflict, NotFound


def canonical_domain(text: str) -> str:
    """Returns a domain as lower-case A-labels without a trailing dot. Raises ValueError if it is
    not a host name."""
    try:
        name = domain_key(text)
    except ValueError:
        raise value_error("not_a_domain") from None
    labels = name.split(".")
    if len(labels) < 2 or len(name) > 200 or labels[-1].isdigit():
        raise value_error("not_a_domain")
    if any(not label.replace("-", "").isalnum() for label in labels):
        raise value_error("not_a_domain")
    if labels[-1] in ("localhost", "local", "internal", "invalid", "onion", "arpa"):
        raise value_error("domain_not_public")
    return name


DomainName = Annotated[str, Field(max_length=253), AfterValidator(canonical_domain)]


class DnsRecord(Contract):
    """A DNS record that the owner of the domain must set. `ok` tells whether it was found."""

    type: Literal["TXT", "CNAME"]
    name: str
    value: str
    ok: bool


class CustomDomain(Contract):
    """A custom domain of an application. The application answers on it once it is `verified`. Links
    and the issuer use it once it is `primary`."""

    id: Id
    domain: str
    verified: bool
    primary: bool
    records: list[DnsRecord]
    checked_at: Timestamp | None = None
    problem: str | None = Field(
        default=None, description="The DNS record that the last check did not find."
    )
    certificate_status: str | None = Field(
        default=None, description="The state of the certificate, if an edge network manages it."
    )
    created_at: Timestamp


class CustomDomains(Contract):
    """The custom domains of an application."""

    domains: list[CustomDomain]


class CustomDomainNotFound(NotFound):
    """The application has no domain with this id."""

    code, title = "custom_domain_not_found", "This domain does not exist."


class CustomDomainTaken(Conflict):
    """Another application has verified this domain."""

    code, title = "custom_domain_taken", "Another application has verified this domain."


class CustomDomainNotVerified(Conflict):
    """The domain must be verified before it can be primary."""

    code, title = "custom_domain_not_verified", "Verify the domain first."


class TooManyCustomDomains(Conflict):
    """The application has the largest number of domains."""

    code = "too_many_custom_domains"
    title = "The application has too many domains. Remove one first."


class ListCustomDomains(
    Request[CustomDomains], subject="tenancy.domain.list", needs="domains:read", safe=True
):
    """Lists the domains of the application, with the DNS records that each needs."""


class AddCustomDomain(Request[CustomDomain], subject="tenancy.domain.add", needs="domains:write"):
    """Adds a domain to the application. It has no effect until it is verified. Idempotent."""

    domain: DomainName


class VerifyCustomDomain(
    Request[CustomDomain], subject="tenancy.domain.verify", needs="domains:write", within=10.0
):
    """Looks up the DNS records of a domain now. The answer says which were found."""

    id: Id


class SetPrimaryDomain(
    Request[CustomDomains], subject="tenancy.domain.promote", needs="domains:write"
):
    """Sets the domain of links and of the issuer. `null` stands for the host of the slug. The
    application still answers on all its hosts."""

    id: Id | None


class RemoveCustomDomain(
    Request[Done], subject="tenancy.domain.remove", needs="domains:write", within=10.0
):
    """Removes a domain. The application no longer answers there. To add the domain again, it must
    be verified again."""

    id: Id


class IsDomainAllowed(
    Request[Done], subject="tenancy.domain.allow", needs=SYSTEM, within=1.0, safe=True
):
    """Checks that a certificate can be requested for this host name: it is a host or a verified
    domain of an active application. Raises UnknownHost."""

    domain: str = Field(max_length=253)
