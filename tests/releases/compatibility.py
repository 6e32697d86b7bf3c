"""Compares what one version writes with what another one reads, by their JSON schemas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

Schema: TypeAlias = dict[str, Any]

AT_MOST: Final = ("maxLength", "maxItems", "maximum", "exclusiveMaximum")
AT_LEAST: Final = ("minLength", "minItems", "minimum", "exclusiveMinimum")
ANY: Final[Schema] = {}
WORDS: Final[Schema] = {"type": "string"}


@dataclass(frozen=True)
class Break:
    """Why a reader refuses a message. `path` is the field."""

    path: str
    kind: str
    """`missing`, `unsent` (the reader has a default), `unread`, `word`, `type`, `bounds`, or `default`."""
    detail: str
    word: object = None
    """The word that the reader refuses, of the kind `word`."""

    def __str__(self) -> str:
        return f"{self.path or 'the message'}: {self.detail}"


@dataclass
class Comparison:
    """A reader and a writer of the same message.

    `any_word`: the reader takes words that are unknown to it. `omits_none`: the writer leaves out what is
    null. `bounds`: whether limits of length, number and pattern count: a request that breaks one is told
    so to its caller, but nobody can correct a reply.
    """

    reader: Schema
    writer: Schema
    any_word: bool = False
    omits_none: bool = False
    bounds: bool = True
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def breaks(self) -> list[Break]:
        """Returns why the reader would refuse what the writer may send; nothing if it never does."""
        return list(self._compare(self.reader, self.writer, ""))

    def _compare(self, reader: Schema, writer: Schema, path: str) -> Iterator[Break]:
        pair = reader.get("$ref", ""), writer.get("$ref", "")
        if all(pair):
            if pair in self._seen:
                return
            self._seen.add(pair)
        reader, writer = _resolved(reader, self.reader), _resolved(writer, self.writer)
        if alternatives := _alternatives(writer):
            for each in alternatives:
                yield from self._compare(reader, each, path)
        elif alternatives := _alternatives(reader):
            found = [list(self._compare(each, writer, path)) for each in alternatives]
            yield from min(found, key=len)
        elif _words(reader) is not None:
            yield from self._compare_words(reader, writer, path)
        elif reader.keys() - {"default"}:
            yield from self._compare_types(reader, writer, path)

    def _compare_words(self, reader: Schema, writer: Schema, path: str) -> Iterator[Break]:
        words = _words(writer)
        open_ = self.any_word and all(isinstance(one, str) for one in _words(reader) or ())
        if open_ and (words is not None or writer.get("type") == "string"):
            return
        if words is None:
            yield Break(path, "type", "takes some words only, and any text may be sent")
            return
        for word in words:
            if word not in (_words(reader) or ()):
                yield Break(path, "word", f"the word {word!r} is refused", word)

    def _compare_types(self, reader: Schema, writer: Schema, path: str) -> Iterator[Break]:
        for word in _words(writer) or ():
            if not isinstance(word, str) or reader.get("type") != "string":
                yield Break(path, "type", f"{word!r} is no {reader.get('type')}")
        if _words(writer) is not None:
            return
        kind, sent = reader.get("type"), writer.get("type")
        if kind != sent and (kind, sent) != ("number", "integer"):
            yield Break(path, "type", f"is {sent or 'anything'}, where {kind} is read")
            return
        if reader.get("format") not in (None, writer.get("format")):
            yield Break(path, "type", f"is no {reader['format']}")
        if self.bounds:
            yield from _compare_bounds(reader, writer, path)
        if kind == "object":
            yield from self._compare_objects(reader, writer, path)
        elif kind == "array":
            yield from self._compare_lists(reader, writer, path)

    def _compare_objects(self, reader: Schema, writer: Schema, path: str) -> Iterator[Break]:
        sent = writer.get("properties", {})
        always = {
            name
            for name in writer.get("required", ())
            if not (self.omits_none and self._may_be_null(sent.get(name, ANY)))
        }
        for name in reader.get("required", ()):
            if name not in always:
                yield Break(
                    f"{path}.{name}".lstrip("."), "missing", "is required, and not always sent"
                )
        read = reader.get("properties", {})
        for name in read:
            inside = f"{path}.{name}".lstrip(".")
            if name in sent:
                yield from self._compare(read[name], sent[name], inside)
            elif name not in reader.get("required", ()):
                yield Break(inside, "unsent", "is never sent")
        for name in sent.keys() - read.keys():
            inside = f"{path}.{name}".lstrip(".")
            if reader.get("additionalProperties") is False:
                yield Break(inside, "type", "is unknown, and refused")
            elif read:
                yield Break(inside, "unread", "is not read")
        of_reader, of_writer = (each.get("additionalProperties") for each in (reader, writer))
        if isinstance(of_reader, dict) and isinstance(of_writer, dict):
            yield from self._compare(of_reader, of_writer, f"{path}.*")

    def _compare_lists(self, reader: Schema, writer: Schema, path: str) -> Iterator[Break]:
        if "items" in reader:
            yield from self._compare(reader["items"], writer.get("items", ANY), f"{path}[]")
        of_reader, of_writer = (each.get("prefixItems", []) for each in (reader, writer))
        if len(of_reader) != len(of_writer):
            yield Break(path, "type", "has another number of parts")
        for one, other in zip(of_reader, of_writer, strict=False):
            yield from self._compare(one, other, f"{path}[]")

    def _may_be_null(self, schema: Schema) -> bool:
        schema = _resolved(schema, self.writer)
        parts = _alternatives(schema) or [schema]
        return any(part.get("type") == "null" for part in parts)


def changed_defaults(before: Schema, after: Schema) -> Iterator[Break]:
    """Yields the fields of a request whose absence means something else than before."""
    pairs = [("", before, after)]
    shared = before.get("$defs", {}).keys() & after.get("$defs", {}).keys()
    pairs += [(f"{name}.", before["$defs"][name], after["$defs"][name]) for name in sorted(shared)]
    for path, old, new in pairs:
        for name in old.get("properties", {}).keys() & new.get("properties", {}).keys():
            was, now = old["properties"][name], new["properties"][name]
            if name in old.get("required", ()) or name in new.get("required", ()):
                continue
            if was.get("default", ...) != now.get("default", ...):
                detail = f"is {now.get('default')!r} if absent, and was {was.get('default')!r}"
                yield Break(f"{path}{name}", "default", detail)


def _compare_bounds(reader: Schema, writer: Schema, path: str) -> Iterator[Break]:
    for key in AT_MOST:
        if key in reader and writer.get(key, float("inf")) > reader[key]:
            yield Break(path, "bounds", f"may be beyond {key} {reader[key]}")
    for key in AT_LEAST:
        if key in reader and writer.get(key, float("-inf")) < reader[key]:
            yield Break(path, "bounds", f"may be below {key} {reader[key]}")
    if "pattern" in reader and reader["pattern"] != writer.get("pattern"):
        yield Break(path, "bounds", f"may not match {reader['pattern']}")


def _resolved(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


def _alternatives(schema: Schema) -> list[Schema] | None:
    return schema.get("anyOf") or schema.get("oneOf")


def _words(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return schema.get("enum")
