"""Batches: one act on many users, which the service does part by part."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from common.contracts.base import Contract, Id, Request
from common.contracts.fields import Timestamp
from common.contracts.roles import RoleId
from common.contracts.user_import import ImportLine
from common.contracts.users import UserFilter
from common.field_errors import FieldError
from common.problems import Conflict, NotFound

MOST_USERS = 20_000
"""Users of one batch."""
BatchAct = Literal["import", "disable", "enable", "end_sessions", "assign_role", "delete"]
BatchState = Literal["open", "running", "done", "cancelled", "stopped"]
BatchStatus = Literal["created", "exists", "invalid", "done", "unchanged", "refused", "missing"]


class BatchNotFound(NotFound):
    """The application has no batch with this id. Batches are deleted after 7 days."""

    code, title = "batch_not_found", "This batch does not exist, or it was deleted after 7 days."


class BatchClosed(Conflict):
    """The batch takes no more rows."""

    code, title = "batch_closed", "This batch takes no more rows."


class RowsOutOfOrder(Conflict):
    """`first` is not the number of rows that the batch has. `total` says how many it has."""

    code, title = "rows_out_of_order", "These are not the next rows of the batch."


class TooManyBatches(Conflict):
    """Ten batches of the application are running."""

    code = "too_many_batches"
    title = "Ten batches are running. Wait for one of them, or cancel it."


class TooManyUsers(Conflict):
    """A batch is about 20,000 users at most."""

    code, title = "too_many_users", "A batch can have at most 20,000 users."


class CountChanged(Conflict):
    """The filter matches other users than the caller saw. `count` says how many match now."""

    code, title = "count_changed", "The filter now matches another number of users. Check it again."


class UserBatch(Contract):
    """An act on many users and its progress. `open` takes rows, `running` is worked on. `stopped`: the
    session of who started it has ended, or a part failed five times. Every row is counted in
    `succeeded`, `unchanged` (nothing was left to do) or `failed` once it is `done`."""

    id: Id
    act: BatchAct
    state: BatchState
    role_id: str | None = None
    total: int
    done: int
    succeeded: int
    unchanged: int
    failed: int
    created_at: Timestamp
    finished_at: Timestamp | None = None


class UserBatches(Contract):
    """The newest batches of an application, 20 at most."""

    batches: list[UserBatch]


class BatchResult(Contract):
    """The result of one row. `record` is the row of a failed import without password and hash."""

    row: int = Field(description="The number of the row, from 0.")
    status: BatchStatus
    user_id: Id | None = None
    code: str | None = Field(default=None, description="Why the act was refused.")
    errors: list[FieldError] = []
    record: dict[str, Any] | None = Field(default=None, repr=False)


class BatchResults(Contract):
    """Results in the order of the rows. If `next` is set, continue with it as `after`."""

    results: list[BatchResult]
    next: int | None = None


class StartUserImport(
    Request[UserBatch], subject="identity.user_batch.import", needs="users:write", within=10.0
):
    """Starts an import of users, with its first rows. Unless it is `complete`, add the other rows
    with AddUserImportRows. Users whose address or id exists stay as they are. Raises
    TooManyBatches."""

    users: list[ImportLine] = Field(min_length=1, max_length=500, repr=False)
    complete: bool = True


class AddUserImportRows(
    Request[UserBatch], subject="identity.user_batch.add_rows", needs="users:write", within=10.0
):
    """Adds rows to an import that is not complete. `first` is the number of rows before them, so the
    same call twice adds them once. Raises BatchNotFound, BatchClosed, RowsOutOfOrder,
    TooManyUsers."""

    batch_id: Id
    first: int = Field(ge=0, le=MOST_USERS)
    users: list[ImportLine] = Field(min_length=1, max_length=500, repr=False)
    complete: bool = True


class ChosenUsers(Contract):
    """Which users a batch is about: either `user_ids`, or all that match `filter`. `count` is how
    many the caller saw, so that nobody acts on users whom they did not see."""

    user_ids: list[Id] | None = Field(default=None, min_length=1, max_length=1000)
    filter: UserFilter | None = None
    count: int | None = Field(default=None, ge=1)


class StartUserBatch(
    ChosenUsers,
    Request[UserBatch],
    subject="identity.user_batch.start",
    needs="users:write",
    within=10.0,
):
    """Starts an act on many users. Raises Invalid if it names none, TooManyBatches, TooManyUsers,
    CountChanged. `assign_role` needs `role_id` and also `roles:write`."""

    act: Literal["disable", "enable", "end_sessions", "assign_role"]
    role_id: RoleId | None = None


class DeleteUsers(
    ChosenUsers,
    Request[UserBatch],
    subject="identity.user_batch.delete",
    needs="users:delete",
    within=10.0,
    fresh=True,
):
    """Starts the deletion of many users. Raises Invalid if it names none, TooManyBatches,
    TooManyUsers, CountChanged."""


class GetUserBatch(
    Request[UserBatch], subject="identity.user_batch.get", needs="users:read", safe=True
):
    """Returns a batch and its progress. Raises BatchNotFound."""

    batch_id: Id


class ListUserBatches(
    Request[UserBatches], subject="identity.user_batch.list", needs="users:read", safe=True
):
    """Lists the newest batches of the application."""


class ListUserBatchResults(
    Request[BatchResults],
    subject="identity.user_batch.results",
    needs="users:read",
    within=5.0,
    safe=True,
    impersonated=False,
):
    """Lists the results of rows that are done, at most 100 at once. Raises BatchNotFound."""

    batch_id: Id
    after: int = Field(default=0, ge=0, le=MOST_USERS, description="The first row.")
    failed: bool = Field(default=False, description="Only rows that failed.")


class CancelUserBatch(
    Request[UserBatch], subject="identity.user_batch.cancel", needs="users:write"
):
    """Cancels a batch. Rows that are done stay done. Does nothing if the batch has ended. Raises
    BatchNotFound."""

    batch_id: Id
