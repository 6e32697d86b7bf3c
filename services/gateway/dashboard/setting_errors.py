"""Sentences about settings that were refused, beside their fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from common.field_errors import FieldError, field_errors
from common.message_ids import N_
from common.problems import Invalid, Problem
from gateway.dashboard.setting_fields import UNITS
from gateway.dashboard.setting_sections import LOCALES, METHODS, Setting
from gateway.pages.form_errors import Errors, errors_of, sentence_of
from gateway.pages.languages import Language

NESTED: Final = ("captcha", "texts")
SENTENCES: Final = {
    "idle_time_too_long": N_("This is longer than the lifetime, so it would never take effect."),
    "allowed_domain_required": N_("Enter at least one domain, or choose who can sign up above."),
}
"""By code: what the form says in other words than the API."""
DURATION: Final = N_("Enter a time between one minute and one year.")
BOUNDS: Final = ("not_at_least", "not_at_most", "not_an_integer")


def setting_errors(
    language: Language,
    error: Problem | ValidationError,
    settings: Sequence[Setting],
    changes: Mapping[str, Any],
) -> Errors:
    """Returns the sentences by field of the form. Raises the error again if nobody can correct it."""
    if isinstance(error, ValidationError):
        listed = field_errors(error.errors(include_input=False, include_url=False))
    elif isinstance(error, Invalid) and error.extra.get("errors"):
        listed = error.extra["errors"]
    else:
        return errors_of(language, error)
    by_name = {setting.name: setting for setting in settings}
    errors = Errors()
    for each in listed:
        path = each["field"].removeprefix("changes.").split(".")
        setting = by_name.get(path[0])
        name = _field(setting, path)
        sentence = _sentence(language, setting, each)
        if (entry := _entry(changes, path)) is not None:
            sentence = f"{language.isolate(entry)}: {sentence}"
        known = errors.get(name)
        errors[name] = f"{known} {sentence}" if known and sentence not in known else sentence
    return errors


def _field(setting: Setting | None, path: list[str]) -> str:
    """Returns the name of the field that the path leads to; "" if the form does not have it."""
    if setting is None:
        return ""
    return ".".join(path) if setting.kind in NESTED else setting.name


def _entry(changes: Mapping[str, Any], path: list[str]) -> str | None:
    """Returns the entry of a list that the path leads to."""
    entries = changes.get(path[0])
    if len(path) < 2 or not path[1].isdigit() or not isinstance(entries, list):
        return None
    index = int(path[1])
    return str(entries[index])[:100] if index < len(entries) else None


def _sentence(language: Language, setting: Setting | None, error: FieldError) -> str:
    code = error["code"]
    if setting is not None and setting.kind == "duration" and code in BOUNDS:
        return language.translate(DURATION)
    if code in SENTENCES:
        return language.translate(SENTENCES[code])
    return sentence_of(language, "", error)


def in_words(language: Language, setting: Setting, value: Any) -> str:
    """Returns a value for a sentence; an empty text if there is none."""
    translate = language.translate
    match setting.kind:
        case "switch":
            return translate("on") if value else translate("off")
        case "choice":
            return translate(dict(setting.choices).get(str(value), str(value)))
        case "methods":
            names = {way: name for way, name, _ in METHODS}
            return ", ".join(translate(names[way]) for way in value)
        case "duration" if value is not None:
            size, unit = next((int(size), unit) for size, unit in UNITS if value % int(size) == 0)
            return f"{language.number(value // size)} {translate(unit)}"
        case "texts":
            return ", ".join(name for code, name in LOCALES if code in value)
    text = ", ".join(value) if isinstance(value, list) else str(value or "")
    return text[:200]
