"""The audit log: reading, counting, exporting and following its events."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from common.contracts.base import SIGNED_IN, Contract, Done, Id, Page, Request
from common.contracts.fields import Timestamp
from common.field_errors import value_error
from common.ip_addresses import canonical_ip
from common.problems import NotFound


class AuditRecord(Contract):
    """An event of the audit log. `user_id` is null after the user was deleted."""

    id: Id
    event_type: str
    event_data: dict[str, Any]
    version: int = 1
    user_id: Id | None = None
    user_email: str | None = None
    user_name: str | None = None
    actor_kind: str | None = None
    actor_id: str | None = None
    session_id: Id | None = None
    org_id: Id | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    trace: str | None = Field(
        default=None,
        description="The W3C traceparent of the work that wrote the event. Its second part is the "
        "reference: the `trace` of the log lines of that work, which operators can look up.",
    )
    created_at: Timestamp


class AuditRecords(Contract):
    """A page of audit events."""

    audit_logs: list[AuditRecord]
    next: str | None = None


def _client_address(text: str) -> str:
    found = canonical_ip(text)
    if found is None:
        raise value_error("not_an_ip_address")
    return found


ClientAddress = Annotated[str, Field(max_length=60), AfterValidator(_client_address)]
"""In the form in which events have it."""


class AuditFilter(Contract):
    """Filters for audit events. Events must match all of them."""

    event_type: str | None = Field(
        default=None, max_length=64, description="The type of the event, like `login`."
    )
    user_id: Id | None = Field(
        default=None, description="The user who did it, or whom it is about."
    )
    ip_address: ClientAddress | None = Field(
        default=None,
        description="An IP address in any notation, like `192.0.2.1` or `2001:db8::1`.",
    )
    start_date: Timestamp | None = Field(default=None, description="Events from this time on.")
    end_date: Timestamp | None = Field(default=None, description="Events before this time.")


class ListAudit(
    Page,
    AuditFilter,
    Request[AuditRecords],
    subject="tenancy.audit.list",
    needs="audit:read",
    safe=True,
):
    """Lists audit events, newest first."""


class OwnRecord(Contract):
    """An event of the caller's own account. `reason` is that of somebody who acted as the user. The
    address and browser are left out if somebody else caused the event."""

    id: Id
    event_type: str
    created_at: Timestamp
    session_id: Id | None = None
    actor_kind: str | None = None
    actor_id: str | None = None
    reason: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None


class OwnRecords(Contract):
    """A page of the caller's own events."""

    audit_logs: list[OwnRecord]
    next: str | None = None


class ListOwnAudit(
    Page, Request[OwnRecords], subject="tenancy.audit.own", needs=SIGNED_IN, safe=True
):
    """Lists what the caller did and what was done to their account, newest first."""


class ListUserAudit(
    Page, Request[AuditRecords], subject="tenancy.audit.of_user", needs="audit:read", safe=True
):
    """Lists the audit events of one user, newest first. Raises UserNotFound."""

    user_id: Id


class AuditRecordNotFound(NotFound):
    """The log of this application has no event with this id."""

    code, title = "audit_record_not_found", "This audit event does not exist."


class GetAuditRecord(
    Request[AuditRecord], subject="tenancy.audit.get", needs="audit:read", safe=True
):
    """Returns one audit event. Raises AuditRecordNotFound."""

    id: Id


class EventCount(Contract):
    """The number of events of one type."""

    event_type: str
    count: int


class EventCounts(Contract):
    """The number of events of each type."""

    event_types: list[EventCount]


class CountAudit(
    Request[EventCounts], subject="tenancy.audit.count", needs="audit:read", within=5.0, safe=True
):
    """Counts the audit events of each type."""

    start_date: Timestamp | None = None
    end_date: Timestamp | None = None


class ChainPlace(Contract):
    """The place of an event in the hash chain of its application. Hashes are in base64url."""

    seq: int
    previous_hash: str
    hash: str
    user_ref: str | None = Field(
        default=None, description="A value that replaces the user's id in the hash."
    )
    user_salt: str | None = Field(
        default=None, description="The salt with which `user_ref` can be verified."
    )


class ExportedRecord(AuditRecord):
    """An audit event with everything that is needed to verify it elsewhere."""

    app_id: Id
    chain: ChainPlace


class AuditExport(Contract):
    """A page of exported audit events."""

    records: list[ExportedRecord]
    next: str | None = None


class ExportAudit(
    AuditFilter,
    Request[AuditExport],
    subject="tenancy.audit.export",
    needs="audit:read",
    within=10.0,
    safe=True,
    impersonated=False,
):
    """Returns a page of the log in the order of its chain, oldest first, with as many events as fit
    into one message. All pages of an export without filters can be verified together."""

    cursor: str | None = Field(default=None, max_length=200)


class SignedHead(Contract):
    """A checkpoint: a signed state of the hash chain (Ed25519, base64url)."""

    app_id: Id
    seq: int
    hash: str
    kid: str
    signature: str
    created_at: Timestamp


class Checkpoints(Contract):
    """A page of checkpoints. `keys` are the public keys of the deployment by id. To verify, use
    keys that you stored earlier from a trusted source: an attacker could return their own here."""

    keys: dict[str, str]
    checkpoints: list[SignedHead]
    next: str | None = None


class ListCheckpoints(
    Request[Checkpoints], subject="tenancy.audit.checkpoints", needs="audit:read", safe=True
):
    """Lists the checkpoints of the hash chain, oldest first."""

    limit: int = Field(default=100, ge=1, le=1000)
    cursor: str | None = Field(default=None, max_length=200)


class FollowAudit(
    Request[Done], subject="tenancy.audit.follow", needs="audit:read", within=1.0, safe=True
):
    """Checks that the caller can follow the log as it is written."""


ExportFormat = Literal["ndjson", "csv"]
