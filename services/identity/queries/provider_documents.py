"""identity_provider_documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from common.db import Db, maybe, run


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document of a provider. `age` is in seconds, and None if no fetch has succeeded. `pending`: an
    attempt of the last seconds has not ended."""

    url: str
    document: dict[str, Any] | None
    age: float | None
    pending: bool
    failure: str | None


async def get(db: Db, *, app_id: str, idp_id: str, kind: str) -> StoredDocument | None:
    """Returns the document of this kind with the state of its last fetch."""
    return await maybe(
        db,
        StoredDocument,
        """
        SELECT url, document, extract(epoch FROM now() - fetched_at)::float8 AS age,
               failure IS NULL AND (fetched_at IS NULL OR fetched_at < attempted_at)
                   AND attempted_at > now() - interval '6 seconds' AS pending,
               failure
        FROM identity_provider_documents WHERE app_id = $1 AND idp_id = $2 AND kind = $3
        """,
        app_id,
        idp_id,
        kind,
    )


async def claim(
    db: Db, *, app_id: str, idp_id: str, kind: str, url: str, pause: int, newer: bool
) -> bool:
    """Claims the next fetch. Returns False if anybody fetched from this URL in the last `pause`
    seconds. A document of another URL is dropped.

    With `newer`, only fetches of the same kind count: somebody knows that the stored document is old.
    """
    return (
        await run(
            db,
            """
            INSERT INTO identity_provider_documents AS d (app_id, idp_id, kind, url)
            SELECT p.app_id, p.id, $3, $4 FROM identity_providers p
            WHERE p.app_id = $1 AND p.id = $2
            ON CONFLICT (app_id, idp_id, kind) DO UPDATE SET
                attempted_at = now(), failure = NULL, url = excluded.url,
                sought_at = CASE WHEN $6::boolean THEN now() ELSE d.sought_at END,
                document = CASE WHEN d.url = excluded.url THEN d.document END,
                fetched_at = CASE WHEN d.url = excluded.url THEN d.fetched_at END
            WHERE d.url <> excluded.url
               OR coalesce(CASE WHEN $6 THEN d.sought_at ELSE d.attempted_at END, '-infinity')
                  <= now() - make_interval(secs => $5)
            """,
            app_id,
            idp_id,
            kind,
            url,
            pause,
            newer,
        )
        == 1
    )


async def store(
    db: Db, *, app_id: str, idp_id: str, kind: str, url: str, document: dict[str, Any]
) -> None:
    """Stores what a fetch returned."""
    await run(
        db,
        """
        UPDATE identity_provider_documents SET document = $5, fetched_at = now(), failure = NULL
        WHERE app_id = $1 AND idp_id = $2 AND kind = $3 AND url = $4
        """,
        app_id,
        idp_id,
        kind,
        url,
        document,
    )


async def store_failure(
    db: Db, *, app_id: str, idp_id: str, kind: str, url: str, failure: str
) -> None:
    """Stores why a fetch failed. The document of an earlier fetch stays."""
    await run(
        db,
        """
        UPDATE identity_provider_documents SET failure = $5
        WHERE app_id = $1 AND idp_id = $2 AND kind = $3 AND url = $4
        """,
        app_id,
        idp_id,
        kind,
        url,
        failure,
    )


async def delete(db: Db, *, app_id: str, idp_id: str) -> None:
    """Deletes all documents of a provider, because its endpoints changed."""
    await run(
        db,
        "DELETE FROM identity_provider_documents WHERE app_id = $1 AND idp_id = $2",
        app_id,
        idp_id,
    )
