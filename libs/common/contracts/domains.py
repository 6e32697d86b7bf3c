"""What the tenancy service answers about an application's own domains, in its context."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from common.addresses import domain_key
from common.contracts.base import SYSTEM, Contract, Done, Id, Request
from common.contracts.fields import Timestamp
from common.field_errors import value_error
from common.problems import Conflict, NotFound


def canonical_domain(text: str) -> str:
    """Lower case A-labels without trailing dot. Raises ValueError for what is no host name."""
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
    """A record the owner of the domain sets, and whether we saw it."""

    type: Literal["TXT", "CNAME"]
    name: str
    value: str
    ok: bool


class CustomDomain(Contract):
    """A domain claimed for an application. It answers once `verified`; links and the issuer follow
    it once it is `primary`."""

    id: Id
    domain: str
    verified: bool
    primary: bool
    records: list[DnsRecord]
    checked_at: Timestamp | None = None
    problem: str | None = Field(default=None, description="What the last check missed.")
    certificate_status: str | None = Field(
        default=None, description="Of the certificate, where an edge network keeps it."
    )
    created_at: Timestamp


class CustomDomains(Contract):
    domains: list[CustomDomain]


class CustomDomainNotFound(NotFound):
    code, title = "custom_domain_not_found", "There is no such domain."


class CustomDomainTaken(Conflict):
    """Another application has proven this domain, and its proof still stands."""

    code, title = "custom_domain_taken", "Another application has proven this domain."


class CustomDomainNotVerified(Conflict):
    code, title = "custom_domain_not_verified", "Prove the domain first."


class TooManyCustomDomains(Conflict):
    code, title = "too_many_custom_domains", "Remove a domain before adding another."


class ListCustomDomains(
    Request[CustomDomains], subject="tenancy.domain.list", needs="domains:read", safe=True
):
    """All domains of the application, with the records each needs."""


class AddCustomDomain(Request[CustomDomain], subject="tenancy.domain.add", needs="domains:write"):
    """Claim a domain. Anybody may; only who proves it gets it. Idempotent."""

    domain: DomainName


class VerifyCustomDomain(
    Request[CustomDomain], subject="tenancy.domain.verify", needs="domains:write", within=10.0
):
    """Look into the DNS now. The answer says which records were seen."""

    id: Id


class SetPrimaryDomain(
    Request[CustomDomains], subject="tenancy.domain.promote", needs="domains:write"
):
    """Links and the issuer follow this verified domain; null: the slug's host again. All hosts go
    on answering."""

    id: Id | None


class RemoveCustomDomain(
    Request[Done], subject="tenancy.domain.remove", needs="domains:write", within=10.0
):
    """The application answers there no more. Having it again needs a new proof."""

    id: Id


class IsDomainAllowed(
    Request[Done], subject="tenancy.domain.allow", needs=SYSTEM, within=1.0, safe=True
):
    """Whether a certificate may be got for this host name: one of our own hosts of an active
    application, or a proven domain. Raises UnknownHost."""

    domain: str = Field(max_length=253)
