"""Counts what it costs to apply a JSON Schema of an application, without applying it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote

from common.field_errors import value_error

MOST_EVALUATIONS: Final = 10_000
"""Of a schema, for one value on each level of the data."""
MOST_STEPS: Final = 30_000
"""Of the count itself, about 50 ms."""
DEPTH: Final = 32
"""Levels of data that a schema is applied to."""
DRAFTS: Final = frozenset(
    {
        "https://json-schema.org/draft/2020-12/schema",
        "https://json-schema.org/draft/2020-12/schema#",
    }
)
_LISTS: Final = ("enum", "required", "properties", "type", "dependentRequired")
_IN_PLACE: Final = ("not", "if", "then", "else")
_IN_PLACE_LISTS: Final = ("allOf", "anyOf", "oneOf")
_IN_PLACE_NAMED: Final = ("dependentSchemas", "dependencies")
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
_EACH: Final = (
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "items",
    "contains",
    "unevaluatedItems",
)

Applied = Counter[int]
"""How often each schema, by its number, applies to one value."""


def evaluations(schema: Any) -> int:
    """Returns the evaluations of the worst value. Raises ValueError if they are too many."""
    return sum(levels(schema))


def levels(schema: Any) -> list[int]:
    """Returns the evaluations on each level of the data, for one value there. Raises ValueError if
    they are too many, or a reference has no target."""
    try:
        return _Unfolding(schema).levels()
    except RecursionError:
        raise value_error("schema_too_deep") from None


class _Unfolding:
    def __init__(self, schema: Any) -> None:
        self.schema = schema
        self.steps = 0
        self.nodes: dict[int, dict[str, Any]] = {}
        self.unfolded: dict[int, Applied] = {}
        self.anchors: dict[str, list[Any]] = {}
        _find_anchors(schema, self.anchors)

    def levels(self) -> list[int]:
        weights: list[int] = []
        applied = self._unfold_all(Counter([self._number(self.schema)]))
        for _ in range(DEPTH):
            weight = sum(times * self._weight(number) for number, times in applied.items())
            weights.append(weight)
            if sum(weights) > MOST_EVALUATIONS:
                raise value_error("schema_too_complex")
            applied = self._below(applied)
            if not applied:
                break
        return weights

    def _step(self, steps: int = 1) -> None:
        self.steps += steps
        if self.steps > MOST_STEPS:
            raise value_error("schema_too_complex")

    def _number(self, schema: Any) -> int:
        """0 stands for `true` and `false`, which have nothing below."""
        if not isinstance(schema, dict):
            return 0
        self.nodes[id(schema)] = schema
        return id(schema)

    def _weight(self, number: int) -> int:
        node = self.nodes.get(number, {})
        return 1 + sum(
            len(node[name]) for name in _LISTS if isinstance(node.get(name), list | dict)
        )

    def _unfold_all(self, entries: Applied) -> Applied:
        """Returns the entries with everything that applies to the same value because of them."""
        total: Applied = Counter()
        for entry, times in entries.items():
            if entry not in self.unfolded:
                self.unfolded[entry] = Counter()
                self._unfold(entry, set(), self.unfolded[entry])
            self._step(len(self.unfolded[entry]))
            for number, more in self.unfolded[entry].items():
                total[number] += times * more
        return total

    def _unfold(self, number: int, above: set[int], into: Applied) -> None:
        """A schema that comes back to itself at the same value ends there, as in the validator."""
        self._step()
        into[number] += 1
        if not number or number in above:
            return
        above.add(number)
        for part in self._in_place(self.nodes[number]):
            self._unfold(self._number(part), above, into)
        above.discard(number)

    def _in_place(self, node: dict[str, Any]) -> Iterator[Any]:
        for name in _REFERENCES:
            if name in node:
                yield from self._targets(node[name])
        for name in _IN_PLACE:
            if name in node:
                yield node[name]
        for name in _IN_PLACE_LISTS:
            yield from _listed(node.get(name))
        for name in _IN_PLACE_NAMED:
            yield from _members(node.get(name)).values()

    def _targets(self, reference: Any) -> list[Any]:
        place = unquote(str(reference))
        if not place.startswith("#"):
            raise value_error("schema_foreign_reference")
        if place == "#":
            return [self.schema]
        if not place.startswith("#/"):
            if place[1:] not in self.anchors:
                raise value_error("schema_missing_reference")
            return self.anchors[place[1:]]
        target = self.schema
        for part in place[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(target, dict) and key in target:
                target = target[key]
            elif isinstance(target, list) and key.isdecimal() and int(key) < len(target):
                target = target[int(key)]
            else:
                raise value_error("schema_missing_reference")
        return [target]

    def _below(self, applied: Applied) -> Applied:
        """Returns what applies to the worst value one level down: of the named members and places,
        the one with the most of each schema; the others apply to every value."""
        named: dict[str | int, Applied] = {}
        every: Applied = Counter()
        for number, times in applied.items():
            node = self.nodes.get(number, {})
            for key, part in _keyed(node):
                self._step()
                named.setdefault(key, Counter())[self._number(part)] += times
            for part in _each(node):
                self._step()
                every[self._number(part)] += times
        worst: Applied = Counter()
        for one in named.values():
            worst |= self._unfold_all(one)
        return worst + self._unfold_all(every)


def _find_anchors(value: Any, into: dict[str, list[Any]]) -> None:
    if isinstance(value, list):
        for part in value:
            _find_anchors(part, into)
    elif isinstance(value, dict):
        for name in ("$anchor", "$dynamicAnchor"):
            if isinstance(value.get(name), str):
                into.setdefault(value[name], []).append(value)
        for part in value.values():
            _find_anchors(part, into)


def _keyed(node: dict[str, Any]) -> Iterator[tuple[str | int, Any]]:
    yield from _members(node.get("properties")).items()
    yield from enumerate(_listed(node.get("prefixItems")))


def _each(node: dict[str, Any]) -> Iterator[Any]:
    for name in _EACH:
        if name in node:
            yield node[name]
    yield from _members(node.get("patternProperties")).values()


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _members(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
