"""Finds what JSON text says that would not be kept as it was sent (RFC 8259 section 4, RFC 7493
section 2): repeated names, numbers with more digits than a double holds, half characters."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from itertools import islice
from math import isfinite
from typing import Any, Final

import orjson

from common.field_errors import FieldError, field_error
from common.unknown_fields import printable

AT_MOST: Final = 20
"""The number of faults that are listed."""
DEEPEST: Final = 100
"""Levels that are searched: naming a place costs time at each level."""
NO_NUMBER: Final = re.compile(rb"NaN|Infinity|[eE]\+?[0-9]{3}|[0-9]{300}")
"""A text without any of these has finite numbers only."""


class _Repeated(dict[str, Any]):
    """An object in which names stand twice."""

    names: list[str]


class _Rounded:
    """Stands for a number that a double does not hold."""


def faults(text: bytes) -> list[FieldError]:
    """Returns an error for each value that could not be stored exactly. Raises ValueError for
    text that is not JSON, such as UnicodeDecodeError for text that is not UTF-8."""
    suspicious = False

    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal suspicious
        listed_faults = dict(pairs)
        if len(listed_faults) == len(pairs):
            return listed_faults
        suspicious = True
        repeated = _Repeated(listed_faults)
        times = Counter(name for name, _ in pairs)
        repeated.names = [name for name, count in times.items() if count > 1]
        return repeated

    def number_of(text: str) -> float | _Rounded:
        nonlocal suspicious
        if _is_exact(text):
            return float(text)
        suspicious = True
        return _Rounded()

    try:
        sent = json.loads(text, object_pairs_hook=object_of, parse_float=number_of)
        if not suspicious and _carried(sent) and not NO_NUMBER.search(text):
            return []
        listed = islice(_odd(sent), AT_MOST)
        listed_faults = list({(one["field"], one["code"]): one for one in listed}.values())
    except RecursionError:
        listed_faults = []
    if not listed_faults and not NO_NUMBER.search(text):
        return [field_error("body", "too_deep")]
    return listed_faults


def _carried(sent: Any) -> bool:
    """False for what is beyond 64 bits, half a character, or too deep."""
    try:
        orjson.dumps(sent)
    except TypeError:
        return False
    return True


def _is_exact(text: str) -> bool:
    number = float(text)
    try:
        return not isfinite(number) or Decimal(text) == Decimal(repr(number))
    except InvalidOperation:
        return False


def _odd(value: Any, place: str = "", depth: int = 0) -> Iterator[FieldError]:
    """Yields the path and the error of each value that could not be stored exactly."""
    if depth > DEEPEST:
        yield field_error("body", "too_deep")
        return
    inside: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    if isinstance(value, _Repeated):
        for name in value.names:
            yield field_error(f"{place}{printable(name)}", "repeated_name")
    for name, one in inside:
        shown = printable(str(name))
        if isinstance(name, str) and _oddity(name):
            yield field_error(f"{place}{shown}", "incomplete_character_in_name")
        yield from _odd(one, f"{place}{shown}.", depth + 1)
    code = _oddity(value)
    if code:
        yield field_error(place[:-1] or "body", code)


def _oddity(value: Any) -> str | None:
    if isinstance(value, _Rounded):
        return "too_many_digits"
    if isinstance(value, float) and not isfinite(value):
        return "not_finite"
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return "beyond_64_bits"
    if isinstance(value, str) and printable(value, len(value)) != value:
        return "incomplete_character"
    return None
