"""The jobs of the worker processes: work that imported hashes, schemas and templates cause."""

from __future__ import annotations

from typing import Any, Final

from common.contracts.mail_templates import TemplateInvalid, TemplateNotFound, TemplateText
from common.contracts.tenants import Tenant
from common.field_errors import FieldError
from identity import imported_hashes, mail_rendering, mail_template_check, metadata
from identity.mail_languages import Locale


def verify_hash(spellings: list[str], stored: str) -> bool:
    """Returns whether the password, in one of its Unicode forms, matches the imported hash. Other systems hashed
    what was typed, in whatever form the keyboard sent it. A form is tried once."""
    return any(imported_hashes.verify(spelling, stored) for spelling in dict.fromkeys(spellings))


def metadata_errors(checks: list[list[Any]]) -> list[list[FieldError]]:
    """Returns the field errors of each check. A check has a name, a schema and data."""
    return [metadata.errors(name, schema, data) for name, schema, data in checks]


def template_errors(kind: str, source: Any) -> list[FieldError] | None:
    """Returns the field errors of a template, or None for an unknown kind of mail."""
    try:
        mail_template_check.check(kind, TemplateText.model_validate(source))
    except TemplateNotFound:
        return None
    except TemplateInvalid as problem:
        errors: list[FieldError] = problem.extra["errors"]
        return errors
    return []


def render_mail(kind: str, locale: Locale, tenant: Any, content: dict[str, Any]) -> dict[str, Any]:
    """Returns the mail, or why it does not render. `content` has `data` and `source`."""
    try:
        mail = mail_rendering.render(
            kind,
            locale,
            Tenant.model_validate(tenant),
            data=content["data"],
            source=TemplateText.model_validate(content["source"]),
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
