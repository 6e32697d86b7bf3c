"""The jobs of identity's worker processes: what imported hashes, schemas and templates ask for."""

from __future__ import annotations

from typing import Any, Final

from common.contracts.mail_templates import TemplateInvalid, TemplateNotFound, TemplateText
from common.contracts.tenants import Tenant
from identity import imported, mail_rendering, metadata
from identity.mail_texts import Locale


def verify_hash(password: str, stored: str) -> bool:
    return imported.verify(password, stored)


def metadata_errors(checks: list[list[Any]]) -> list[list[dict[str, str]]]:
    """`checks` has a name, a schema and data each; returns what is wrong with each."""
    return [metadata.errors(name, schema, data) for name, schema, data in checks]


def template_errors(kind: str, source: Any) -> list[dict[str, str]] | None:
    """Returns what is wrong with the parts of a template; None for an unknown kind of mail."""
    try:
        mail_rendering.check(kind, TemplateText.model_validate(source))
    except TemplateNotFound:
        return None
    except TemplateInvalid as problem:
        errors: list[dict[str, str]] = problem.extra["errors"]
        return errors
    return []


def render_mail(
    kind: str, locale: Locale, tenant: Any, data: dict[str, Any], source: Any
) -> dict[str, Any]:
    """Returns the mail, or why it does not render."""
    try:
        mail = mail_rendering.render(
            kind, locale, Tenant.model_validate(tenant), data, TemplateText.model_validate(source)
        )
    except TemplateInvalid as problem:
        return {"invalid": str(problem)}
    return mail.model_dump(mode="json")


JOBS: Final = {
    "verify_hash": verify_hash,
    "metadata_errors": metadata_errors,
    "template_errors": template_errors,
    "render_mail": render_mail,
}
