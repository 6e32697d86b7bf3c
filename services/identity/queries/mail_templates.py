"""Statements on mail_templates."""

from __future__ import annotations

from dataclasses import dataclass

from common.contracts.mail_templates import TemplateText
from common.db import Db, many, maybe, run


@dataclass(frozen=True)
class Stored:
    kind: str
    locale: str
    subject: str
    text_body: str
    html_body: str

    def source(self) -> TemplateText:
        """Returns the parts of the template."""
        return TemplateText(subject=self.subject, text=self.text_body, html=self.html_body)


async def get(db: Db, *, app_id: str, kind: str, locale: str) -> TemplateText | None:
    """Returns the application's own template, if there is one."""
    row = await maybe(
        db,
        Stored,
        """
        SELECT kind, locale, subject, text_body, html_body FROM mail_templates
        WHERE app_id = $1 AND kind = $2 AND locale = $3
        """,
        app_id,
        kind,
        locale,
    )
    return row.source() if row else None


async def lock(db: Db, *, app_id: str, kind: str, locale: str) -> TemplateText | None:
    """Returns the same. Nobody else changes a template that exists until the transaction ends."""
    row = await maybe(
        db,
        Stored,
        """
        SELECT kind, locale, subject, text_body, html_body FROM mail_templates
        WHERE app_id = $1 AND kind = $2 AND locale = $3 FOR UPDATE
        """,
        app_id,
        kind,
        locale,
    )
    return row.source() if row else None


async def list_(db: Db, *, app_id: str) -> list[Stored]:
    """Returns all templates of the application's own."""
    return await many(
        db,
        Stored,
        "SELECT kind, locale, subject, text_body, html_body FROM mail_templates WHERE app_id = $1",
        app_id,
    )


async def upsert(
    db: Db, *, app_id: str, kind: str, locale: str, source: TemplateText, only_new: bool
) -> bool:
    """Stores a template. With `only_new`, replaces none, and returns False if there is one."""
    return (
        await run(
            db,
            """
            INSERT INTO mail_templates (app_id, kind, locale, subject, text_body, html_body)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (app_id, kind, locale) DO UPDATE SET subject = excluded.subject,
                text_body = excluded.text_body, html_body = excluded.html_body, updated_at = now()
            WHERE NOT $7::boolean
            """,
            app_id,
            kind,
            locale,
            source.subject,
            source.text,
            source.html,
            only_new,
        )
        == 1
    )


async def delete(db: Db, *, app_id: str, kind: str, locale: str) -> bool:
    """Deletes a template. Returns False if there was none."""
    return (
        await run(
            db,
            "DELETE FROM mail_templates WHERE app_id = $1 AND kind = $2 AND locale = $3",
            app_id,
            kind,
            locale,
        )
        == 1
    )
