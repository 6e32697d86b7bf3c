"""What is asked of the audit log: reading, counting, exporting, following, proving."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from common.client_addresses import canonical_ip
from common.contracts.base import Contract, Done, Id, Page, Request
from common.contracts.fields import Timestamp
from common.field_errors import value_error
from common.problems import NotFound


class AuditRecord(Contract):
    """One event of the log. `user_id` is null once the user was deleted."""

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
        default=None, description="W3C traceparent, as in the log lines of the same work."
    )
    created_at: Timestamp


class AuditRecords(Contract):
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
    """Which events; all that are given must hold."""

    event_type: str | None = Field(default=None, max_length=64, description="Like `login`.")
    user_id: Id | None = Field(default=None, description="Who did it or whom it is about.")
    ip_address: ClientAddress | None = Field(
        default=None, description="In any spelling, like `192.0.2.1` or `2001:db8::1`."
    )
    start_date: Timestamp | None = Field(default=None, description="From this moment on.")
    end_date: Timestamp | None = Field(default=None, description="Before this moment.")


class ListAudit(
    Page,
    AuditFilter,
    Request[AuditRecords],
    subject="tenancy.audit.list",
    needs="audit:read",
    safe=True,
):
    """Events, newest first."""


class ListUserAudit(
    Page, Request[AuditRecords], subject="tenancy.audit.of_user", needs="audit:read", safe=True
):
    """Events of one user, newest first. Raises UserNotFound."""

    user_id: Id


class AuditRecordNotFound(NotFound):
    """There is no such event in this application's log."""

    code, title = "audit_record_not_found", "There is no such event."


class GetAuditRecord(
    Request[AuditRecord], subject="tenancy.audit.get", needs="audit:read", safe=True
):
    """Raises AuditRecordNotFound."""

    id: Id


class EventCount(Contract):
    event_type: str
    count: int


class EventCounts(Contract):
    event_types: list[EventCount]


class CountAudit(
    Request[EventCounts], subject="tenancy.audit.count", needs="audit:read", within=5.0, safe=True
):
    """How many events of each type there are."""

    start_date: Timestamp | None = None
    end_date: Timestamp | None = None


class ChainPlace(Contract):
    """Where an event stands in the chain of its application; hashes in base64url."""

    seq: int
    previous_hash: str
    hash: str
    user_ref: str | None = Field(default=None, description="Stands for the user in the hash.")
    user_salt: str | None = Field(default=None, description="Shows that it does.")


class ExportedRecord(AuditRecord):
    """An event with all it takes to verify it elsewhere."""

    app_id: Id
    chain: ChainPlace


class AuditExport(Contract):
    records: list[ExportedRecord]
    next: str | None = None


class ExportAudit(
    AuditFilter,
    Request[AuditExport],
    subject="tenancy.audit.export",
    needs="audit:read",
    within=10.0,
    safe=True,
):
    """A piece of the log in the order of its chain, oldest first: as many events as fit one
    message. Without filters the pieces together can be verified."""

    cursor: str | None = Field(default=None, max_length=200)


class SignedHead(Contract):
    """A checkpoint: the chain's head at a moment, signed (Ed25519, base64url)."""

    app_id: Id
    seq: int
    hash: str
    kid: str
    signature: str
    created_at: Timestamp


class Checkpoints(Contract):
    """`keys` are the deployment's public keys by id. To verify, take them once over a way you
    trust and keep them; a forger would hand out their own here."""

    keys: dict[str, str]
    checkpoints: list[SignedHead]
    next: str | None = None


class ListCheckpoints(
    Request[Checkpoints], subject="tenancy.audit.checkpoints", needs="audit:read", safe=True
):
    """Signed heads of the chain, oldest first."""

    limit: int = Field(default=100, ge=1, le=1000)
    cursor: str | None = Field(default=None, max_length=200)


class FollowAudit(
    Request[Done], subject="tenancy.audit.follow", needs="audit:read", within=1.0, safe=True
):
    """Whether the caller may follow the log as it is written."""


ExportFormat = Literal["ndjson", "csv"]
