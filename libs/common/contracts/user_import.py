"""Import and export of users."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator

from common.contracts.base import Contract, Id, Page, Request
from common.contracts.fields import Email, LocalTimestamp, Metadata, Secret
from common.contracts.profiles import Profile
from common.field_errors import FieldError


class TransferredUser(Profile):
    """A user as a line of an import file, and of an export, which can be imported again.

    `password_hash` is in any format of docs/users.md and replaced by ours at the next sign-in;
    `password`, in the clear, is hashed on arrival, which takes its time.
    """

    id: Id | None = Field(default=None, description="To be kept; else a new one.")
    email: Email | None = None
    email_verified: bool = False
    phone_number_verified: bool = False
    disabled: bool = False
    password_hash: str | None = Field(default=None, max_length=2000, repr=False)
    password: Secret | None = Field(default=None, repr=False)
    public_metadata: Metadata = {}
    private_metadata: Metadata = {}
    user_metadata: Metadata = {}
    created_at: LocalTimestamp | None = None


ImportLine = Annotated[
    Any, PlainValidator(lambda line: line, json_schema_input_type=TransferredUser)
]
"""A `TransferredUser` that the handler validates, so that each line gets a verdict of its own."""


class Arrival(Contract):
    """What became of one line, in the order of the lines."""

    status: Literal["created", "exists", "invalid"]
    user_id: Id | None = None
    errors: list[FieldError] = []


class Arrivals(Contract):
    arrivals: list[Arrival]


class ImportUsers(
    Request[Arrivals], subject="identity.user.import", needs="users:write", within=30.0
):
    """Creates many users at once. Existing users (by address or id) stay as they are, so the same
    file may be sent again. A line that is not valid does not affect the others. No mail goes out.
    """

    users: list[ImportLine] = Field(min_length=1, max_length=500, repr=False)
    dry_run: bool = False


class TransferredUsers(Contract):
    users: list[TransferredUser]
    next: str | None = None


class ExportUsers(
    Page,
    Request[TransferredUsers],
    subject="identity.user.export",
    needs="users:read",
    within=10.0,
    safe=True,
):
    """Users as an import takes them, the oldest first. Hashes of passwords only for callers with
    all permissions. Raises Forbidden."""

    password_hashes: bool = False
