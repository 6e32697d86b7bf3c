"""Batches of users of an application that a developer manages, answered from a dictionary."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.kit.dashboard_users import People
from tests.kit.developers import NOW

from common.context import Context
from common.contracts.user_batches import (
    AddUserImportRows,
    BatchNotFound,
    BatchResult,
    BatchResults,
    CancelUserBatch,
    DeleteUsers,
    GetUserBatch,
    ListUserBatches,
    ListUserBatchResults,
    StartUserBatch,
    StartUserImport,
    UserBatch,
    UserBatches,
)
from common.contracts.user_import import ExportUsers, TransferredUsers
from common.ids import new_id
from common.problems import Problem


@dataclass
class Batches:
    """Batches by id. `starts` are the calls that began or extended one, `rows` what they sent, and
    `refusal` is raised by the next start."""

    people: People
    batches: dict[str, UserBatch] = field(default_factory=dict)
    starts: list[Any] = field(default_factory=list)
    rows: list[Any] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    failures: list[BatchResult] = field(default_factory=list)
    users: list[TransferredUsers] = field(default_factory=list)
    """Pages of the export."""
    refusal: Problem | None = None

    def add(self, **fields: Any) -> UserBatch:
        """Adds a batch."""
        values: dict[str, Any] = {
            "act": "import",
            "state": "running",
            "total": 10,
            "done": 4,
            "succeeded": 2,
            "unchanged": 1,
            "failed": 1,
        }
        batch = UserBatch(id=new_id(), created_at=NOW, **values | fields)
        self.batches[batch.id] = batch
        return batch

    def find(self, id: str) -> UserBatch:
        """Returns the batch. Raises BatchNotFound."""
        if id not in self.batches:
            raise BatchNotFound
        return self.batches[id]


async def _start(fake: Batches, ctx: Context, request: Any) -> UserBatch:
    if fake.refusal is not None:
        raise fake.refusal
    fake.starts.append(request)
    act = getattr(request, "act", "delete")
    return fake.add(act=act)


async def _import(fake: Batches, ctx: Context, request: StartUserImport) -> UserBatch:
    if fake.refusal is not None:
        raise fake.refusal
    fake.starts.append(request)
    fake.rows += request.users
    return fake.add(total=len(request.users))


async def _more(fake: Batches, ctx: Context, request: AddUserImportRows) -> UserBatch:
    batch = fake.find(request.batch_id)
    assert request.first == batch.total
    fake.starts.append(request)
    fake.rows += request.users
    total = batch.total + len(request.users)
    fake.batches[batch.id] = batch.model_copy(update={"total": total})
    return fake.batches[batch.id]


async def _get(fake: Batches, ctx: Context, request: GetUserBatch) -> UserBatch:
    return fake.find(request.batch_id)


async def _list(fake: Batches, ctx: Context, request: ListUserBatches) -> UserBatches:
    return UserBatches(batches=list(fake.batches.values()))


async def _results(fake: Batches, ctx: Context, request: ListUserBatchResults) -> BatchResults:
    fake.find(request.batch_id)
    if request.after:
        return BatchResults(results=[])
    return BatchResults(results=fake.failures, next=100)


async def _cancel(fake: Batches, ctx: Context, request: CancelUserBatch) -> UserBatch:
    batch = fake.find(request.batch_id)
    fake.cancelled.append(batch.id)
    return batch


async def _export(fake: Batches, ctx: Context, request: ExportUsers) -> TransferredUsers:
    return fake.users[int(request.cursor or 0)]


def batches_of(people: People) -> Batches:
    """Registers the fake services."""
    fake = Batches(people)
    people.developer.world.bus.serve(
        fake,
        {
            StartUserBatch: _start,
            DeleteUsers: _start,
            StartUserImport: _import,
            AddUserImportRows: _more,
            GetUserBatch: _get,
            ListUserBatches: _list,
            ListUserBatchResults: _results,
            CancelUserBatch: _cancel,
            ExportUsers: _export,
        },
    )
    return fake
