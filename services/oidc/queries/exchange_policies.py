"""token_exchange_policies: what clients may exchange (docs/adr/0042)."""

from __future__ import annotations

from typing import Final

from common.contracts.exchange_policies import ExchangePolicy
from common.db import Db, many, maybe, one, run

COLUMNS: Final = """
    id, client_id, subject_client_id AS subject_client, provider_id AS provider, resources, scopes,
    audience, audience_client_id, created_at"""
"""Of ExchangePolicy."""

LIST: Final = f"""
    SELECT {COLUMNS} FROM token_exchange_policies
    WHERE app_id = $1 AND client_id = $2 ORDER BY created_at, id
    """


async def list_(db: Db, *, app_id: str, client_id: str) -> list[ExchangePolicy]:
    """Lists the client's policies, the oldest first."""
    return await many(db, ExchangePolicy, LIST, app_id, client_id)


FIND: Final = f"""
    SELECT {COLUMNS} FROM token_exchange_policies
    WHERE app_id = $1 AND client_id = $2 AND subject_client_id = $3
      AND audience IS NOT DISTINCT FROM $4
    """


async def find(
    db: Db, *, app_id: str, client_id: str, subject_client_id: str, audience: str | None
) -> ExchangePolicy | None:
    """Finds the client's policy for tokens of another client. `audience` is None for access tokens."""
    return await maybe(db, ExchangePolicy, FIND, app_id, client_id, subject_client_id, audience)


INSERT: Final = f"""
    INSERT INTO token_exchange_policies (app_id, id, client_id, subject_client_id, provider_id,
                                         audience, audience_client_id, resources, scopes)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    RETURNING {COLUMNS}
    """


async def insert(
    db: Db,
    *,
    app_id: str,
    id: str,
    client_id: str,
    subject_client_id: str | None,
    provider_id: str | None,
    audience: str | None,
    audience_client_id: str | None,
    resources: list[str],
    scopes: list[str],
) -> ExchangePolicy:
    """Stores a policy. Raises UniqueViolationError (token_exchange_policies_source_key) if the client
    has one for this source and audience, and ForeignKeyViolationError if the source is gone."""
    return await one(
        db,
        ExchangePolicy,
        INSERT,
        app_id,
        id,
        client_id,
        subject_client_id,
        provider_id,
        audience,
        audience_client_id,
        resources,
        scopes,
    )


async def delete(db: Db, *, app_id: str, client_id: str, id: str) -> bool:
    """Deletes a policy. Returns False if the client has no such policy."""
    return (
        await run(
            db,
            "DELETE FROM token_exchange_policies WHERE app_id = $1 AND client_id = $2 AND id = $3",
            app_id,
            client_id,
            id,
        )
        == 1
    )
