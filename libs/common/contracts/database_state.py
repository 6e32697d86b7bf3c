"""The database of the deployment: its size and connections."""

from __future__ import annotations

from pydantic import Field

from common.contracts.base import Contract, Request
from common.operator_rules import OPERATES


class DatabaseState(Contract):
    """The size and the connections of the database server's database."""

    version: str = Field(description="The version of PostgreSQL.")
    size_bytes: int = Field(description="The bytes of Aero2's database.")
    connections: int = Field(description="Open connections to the server.")
    max_connections: int = Field(description="Connections that the server accepts.")


class GetDatabaseState(
    Request[DatabaseState],
    subject="tenancy.database_state.get",
    needs=OPERATES,
    within=1.0,
    safe=True,
):
    """Returns the size and the connections of the database. Only in the Dashboard."""
