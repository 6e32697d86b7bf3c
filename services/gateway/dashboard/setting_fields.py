"""Settings as fields of a form, and back. A form has each setting as it was when the page was shown,
so that nobody overwrites what somebody else has saved meanwhile."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from common.contracts.app_settings import AppSettings
from common.message_ids import N_
from gateway.dashboard.setting_sections import LOCALES, METHODS, TEXTS, Setting

UNITS: Final = (
    ("86400", N_("days")),
    ("3600", N_("hours")),
    ("60", N_("minutes")),
    ("1", N_("seconds")),
)
"""Units of a duration, in seconds."""
BY_ADDRESS: Final = ("password", "email_code", "magic_link")
"""Ways to sign in that begin with an address; one of them comes first."""
CAPTCHA: Final = ("verify_url", "site_key", "secret", "script_url")
NUMBER: Final = re.compile(r"-?[0-9]{1,9}")
BEFORE: Final = "before."
"""Begins the name of the field with a setting as it was shown."""


def stored_values(settings: AppSettings) -> dict[str, Any]:
    """Returns each setting as the form compares it: without a secret, and without empty texts."""
    values = settings.model_dump(mode="json")
    if values["captcha"]:
        del values["captcha"]["secret"]
    values["page_texts"] = {
        code: kept
        for code, texts in values["page_texts"].items()
        if (kept := {name: text for name, text in texts.items() if text})
    }
    return values


def version(value: Any) -> str:
    """Returns a short text that differs for every value of a setting."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def to_fields(setting: Setting, value: Any) -> dict[str, str]:
    """Returns the fields that show a value."""
    name = setting.name
    match setting.kind:
        case "switch":
            return {name: "on"} if value else {}
        case "lines":
            return {name: "\n".join(value)}
        case "schema":
            return {name: orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() if value else ""}
        case "duration":
            return _duration_fields(name, value)
        case "methods":
            first = next((way for way in value if way in BY_ADDRESS), "")
            return {f"{name}.{way}": "on" for way in value} | {f"{name}.first": first}
        case "captcha" | "texts":
            return _nested_fields(name, value or {})
    return {name: "" if value is None else str(value)}


def _duration_fields(name: str, value: int | None) -> dict[str, str]:
    if value is None:
        return {name: "", f"{name}.unit": UNITS[0][0]}
    unit = next(unit for unit, _ in UNITS if value % int(unit) == 0)
    return {name: str(value // int(unit)), f"{name}.unit": unit}


def _nested_fields(name: str, value: Mapping[str, Any]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            fields |= _nested_fields(f"{name}.{key}", inner)
        elif inner is not None:
            fields[f"{name}.{key}"] = str(inner)
    return fields


def from_fields(setting: Setting, fields: Mapping[str, str], stored: Any) -> Any:
    """Returns the value that was typed. An unreadable one stays a text, and the contract refuses it."""
    name = setting.name
    text = fields.get(name, "").strip()
    match setting.kind:
        case "switch":
            return bool(text)
        case "zone":
            return text
        case "choice":
            is_number = AppSettings.model_fields[name].annotation is int
            return _number(text) if is_number else text
        case "number" | "duration":
            return _amount(setting, text, fields.get(f"{name}.unit", "1"))
        case "lines":
            return [entry for entry in re.split(r"[\s,]+", text) if entry]
    return _READERS[setting.kind](fields, name, stored)


def _number(text: str) -> int | str:
    return int(text) if NUMBER.fullmatch(text) else text


def _amount(setting: Setting, text: str, unit: str) -> Any:
    if not text and setting.empty:
        return None
    amount = _number(text)
    if setting.kind == "number" or isinstance(amount, str):
        return amount
    return amount * int(unit) if unit in dict(UNITS) else text


def _methods(fields: Mapping[str, str], name: str, stored: list[str]) -> list[str]:
    order = [*stored, *(way for way, _, _ in METHODS if way not in stored)]
    chosen = [way for way in order if fields.get(f"{name}.{way}")]
    first = fields.get(f"{name}.first", "")
    by_address = [way for way in chosen if way in BY_ADDRESS]
    if first not in by_address or by_address[0] == first:
        return chosen
    return [first, *(way for way in chosen if way != first)]


def _schema(fields: Mapping[str, str], name: str, stored: Any) -> Any:
    text = fields.get(name, "").strip()
    if not text:
        return None
    try:
        return orjson.loads(text)
    except ValueError:
        return text


def _captcha(fields: Mapping[str, str], name: str, stored: Any) -> dict[str, str | None] | None:
    """Returns the captcha. Without a secret, the stored one stays."""
    typed = {part: fields.get(f"{name}.{part}", "").strip() or None for part in CAPTCHA}
    if not any(typed.values()):
        return None
    if typed["secret"] is None:
        del typed["secret"]
    required = {part: typed[part] or "" for part in ("verify_url", "site_key")}
    return {**typed, **required}


def _texts(fields: Mapping[str, str], name: str, stored: Any) -> dict[str, dict[str, str]]:
    typed = {
        code: {
            text: value
            for text, _ in TEXTS
            if (value := fields.get(f"{name}.{code}.{text}", "").strip())
        }
        for code, _ in LOCALES
    }
    return {code: texts for code, texts in typed.items() if texts}


_READERS: Final[dict[str, Callable[[Mapping[str, str], str, Any], Any]]] = {
    "methods": _methods,
    "schema": _schema,
    "captcha": _captcha,
    "texts": _texts,
}
