"""No value of a request's field makes its validation fail in another way than with a ValidationError, which
is the caller's 422. Anything else would be a 500."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import pytest
from pydantic import BaseModel, ValidationError
from tests.architecture.source import contracts

from common.unknown_fields import is_model

ODD: Final[list[Any]] = [
    *(None, True, -1, 10**400, 0.5, float("nan"), "", " ", "\x00", "\ud800", "ü" * 40, "[", "//"),
    *("http://[", "a@", "\N{RIGHT-TO-LEFT OVERRIDE}", [], [None], [[]], ["", ""], {}),
    *({"": None}, {"a": {}}, [{}], ["a", "a"], "9999-99-99T99:99:99Z", "-1", "1e999"),
]


def _models(model: type[BaseModel], known: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    """Yields the model and the models in its fields."""
    if model in known:
        return
    known.add(model)
    yield model
    for field in model.model_fields.values():
        for part in _parts(field.annotation):
            yield from _models(part, known)


def _parts(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and is_model(annotation):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _parts(inner)


@pytest.mark.parametrize("subject", sorted(contracts()))
def test_an_odd_value_is_a_mistake_of_the_caller(subject: str) -> None:
    for model in _models(contracts()[subject], set()):
        for name in model.model_fields:
            for value in ODD:
                with suppress(ValidationError):
                    model.model_validate({name: value})
