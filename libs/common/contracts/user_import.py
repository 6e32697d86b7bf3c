"""Import and export of users."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator

from common.contracts.base import Contract, Id, Page, Request
from common.contracts.fields import Email, LocalTimestamp, Metadata, Secret
from common.contracts.profiles import Profile
from common.field_errors import FieldError


class TransferredUser(Profile):
    """A user in an import or an export. An export can be imported again.

    `password_hash` can have any format of docs/users.md. It is replaced at the user's next sign-in.
    `password` is plain text. It is hashed during the import, which makes the import slow.
    """

    id: Id | None = Field(default=None, description="An id to keep. Default: a new one.")
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
    """The result of one line of an import."""

    status: Literal["created", "exists", "invalid"]
    user_id: Id | None = None
    errors: list[FieldError] = []


class Arrivals(Contract):
    """The results of an import, in the order of its lines."""

    arrivals: list[Arrival]


class ImportUsers(
    Request[Arrivals], subject="identity.user.import", needs="users:write", within=30.0
):
    """Creates up to 500 users in one call. Users whose address or id exists stay as they are, so
    you can send the same file again. A line that is not valid does not affect the others. No
    e-mails are sent."""

    users: list[ImportLine] = Field(min_length=1, max_length=500, repr=False)
    dry_run: bool = False


class TransferredUsers(Contract):
    """A page of exported users."""

    users: list[TransferredUser]
    next: str | None = None


class ExportUsers(
    Page,
    Request[TransferredUsers],
    subject="identity.user.export",
    needs="users:read",
    within=10.0,
    safe=True,
    impersonated=False,
):
    """Lists users in the format of an import, oldest first. To include password hashes, the caller
    needs all permissions. Raises Forbidden."""

    password_hashes: bool = False
