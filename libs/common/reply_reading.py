"""Reads a reply of the bus, also one of a service that is a version newer.

Contracts ignore unknown fields. A word that a newer service has added to a list of words (`kind`, `state`,
`factor`) passes as well: it is the text that was sent. Words of requests stay strict.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import CoreSchema, SchemaValidator

M = TypeVar("M", bound=BaseModel)
UNKNOWN_WORD: Final = "literal_error"


def read_reply(model: type[M], data: bytes) -> M:
    """Returns the reply. Raises ValidationError if it is not one of this model, apart from words that are
    unknown here."""
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        if not any(each["type"] == UNKNOWN_WORD for each in error.errors(include_url=False)):
            raise
    return cast("M", _tolerant(model).validate_json(data))


@cache
def _tolerant(model: type[BaseModel]) -> SchemaValidator:
    """Returns the validator of the model that takes any text for a word."""
    schema = cast("CoreSchema", _with_any_word(model.__pydantic_core_schema__))
    # The third argument: do not use the validators that the models inside have already.
    return SchemaValidator(schema, None, False)


def _with_any_word(schema: Any) -> Any:
    if isinstance(schema, dict):
        if schema.get("type") == "literal" and all(type(one) is str for one in schema["expected"]):
            return {"type": "str"}
        return {key: _with_any_word(value) for key, value in schema.items()}
    if isinstance(schema, list | tuple):
        return type(schema)(_with_any_word(value) for value in schema)
    return schema
