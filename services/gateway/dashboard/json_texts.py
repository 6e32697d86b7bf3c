"""JSON objects that developers type into a form."""

from __future__ import annotations

from typing import Any

import orjson

from common import exact_json
from common.field_errors import MESSAGES, FieldError
from gateway.pages.languages import Language


def read_object(language: Language, text: str) -> dict[str, Any]:
    """Returns the JSON object; an empty text is an empty one. Raises ValueError with a sentence. Like the
    API, it refuses what would not be kept as it was typed, such as a number with too many digits."""
    if not text.strip():
        return {}
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        place = {"line": str(error.lineno), "column": str(error.colno)}
        raise ValueError(
            language.translate(
                "This is no JSON: look at line %(line)s, column %(column)s. Names and texts stand in "
                "double quotes, and after the last one there is no comma.",
                **place,
            )
        ) from None
    if not isinstance(value, dict):
        raise ValueError(language.translate("Enter a JSON object, in braces: { }"))
    if faults := exact_json.faults(text.encode()):
        raise ValueError(
            " ".join(f"{fault['field']}: {sentence(language, fault)}" for fault in faults)
        )
    return value


def sentence(language: Language, fault: FieldError) -> str:
    """Returns what is wrong with one place in the object."""
    text = MESSAGES.get(fault["code"])
    if text is None:
        return fault["message"]
    params = {name: language.isolate(value) for name, value in fault["params"].items()}
    return language.translate(text).format_map(params)
