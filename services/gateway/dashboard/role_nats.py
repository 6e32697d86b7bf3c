"""The form of a role's NATS subjects: from a role to what people type, and back."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError

from common.contracts.nats_subjects import NatsSubjects
from common.contracts.roles import Kind, Role
from common.field_errors import field_errors
from common.message_ids import N_
from gateway.dashboard.client_fields import lines
from gateway.dashboard.visit import Visit
from gateway.pages.form_errors import Errors

FORM: Final = "nats_form"
"""A hidden field that tells this form from the others of the page."""
RULES: Final = tuple(
    (direction, rule) for direction in ("publish", "subscribe") for rule in ("allow", "deny")
)
NOT_A_SUBJECT: Final = N_(
    "Line %(line)s is not a subject. Put dots between its parts, like orders.*.new or "
    "orders.{user_id}.>."
)
TOO_MANY: Final = N_("There are too many lines. 100 are possible.")


def values_of(role: Role) -> dict[str, str]:
    """Returns the texts that the form shows."""
    nats = role.nats or NatsSubjects()
    values = {
        f"{direction}_{rule}": "\n".join(getattr(getattr(nats, direction), rule))
        for direction, rule in RULES
    }
    responses = "on" if nats.allow_responses else ""
    return values | {"clients": "\n".join(nats.clients), "allow_responses": responses}


def typed(visit: Visit) -> dict[str, str]:
    """Returns the texts of the posted form. Blank lines are left out, so that the number of a line is that
    of its entry."""
    names = [f"{direction}_{rule}" for direction, rule in RULES]
    values = {name: "\n".join(lines(visit.fields.get(name))) for name in (*names, "clients")}
    return values | {"allow_responses": "on" if "allow_responses" in visit.fields else ""}


def subjects(values: dict[str, str], kind: Kind) -> NatsSubjects | None:
    """Returns the subjects of a form, or None if it is empty. Raises ValidationError."""
    fields: dict[str, Any] = {"publish": {}, "subscribe": {}}
    for direction, rule in RULES:
        fields[direction][rule] = values[f"{direction}_{rule}"].splitlines()
    fields["allow_responses"] = values["allow_responses"] == "on"
    if kind == "application":
        fields["clients"] = values["clients"].splitlines()
    nats = NatsSubjects.model_validate(fields)
    return None if nats == NatsSubjects() else nats


def errors_of(visit: Visit, error: ValidationError) -> Errors:
    """Returns a sentence for each field with a mistake."""
    errors, language = Errors(), visit.open().language
    for each in field_errors(error.errors(include_input=False, include_url=False)):
        parts = each["field"].split(".")
        name = "_".join(parts[:2]) if parts[0] in ("publish", "subscribe") else parts[0]
        if parts[-1].isdigit():
            sentence = language.translate(NOT_A_SUBJECT, line=int(parts[-1]) + 1)
        else:
            sentence = language.translate(TOO_MANY)
        errors.setdefault(name, sentence)
    return errors
