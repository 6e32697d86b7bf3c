"""Text of SQL statements: named parameters, and column lists with a table's alias.

Both are worked out when a module is imported. Each call passes the finished text, so it costs
what a statement with `$1`, `$2` … costs.
"""

from __future__ import annotations

import re
from typing import Any, Final, LiteralString

TOKEN: Final = re.compile(
    r"""
    --[^\n]*                            # comment
    | /\*.*?\*/                         # block comment
    | \b[eE]'(?:[^'\\]|\\.|'')*'        # string with escapes
    | '(?:[^']|'')*'                    # string
    | "(?:[^"]|"")*"                    # quoted name
    | \$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$    # dollar-quoted string
    | ::                                # cast
    | \$(?P<number>\d+)
    | :(?P<name>[A-Za-z_]\w*)
    """,
    re.VERBOSE | re.DOTALL,
)
"""The parts of SQL that may hold a colon. Only the last alternative is a parameter of ours."""


def numbered(text: LiteralString, *parameters: type[tuple[Any, ...]]) -> LiteralString:
    """Returns the statement with `$n` in place of each `:name`.

    `parameters` are NamedTuple classes. Their fields, in order, are `$1`, `$2` …, so a call passes
    the tuples themselves: `run(db, INSERT, *new_code)`. Call it at module level: a mistake then
    stops the import. Raises ValueError for a name that is no field, for a field that the statement
    does not use, for a field that two classes have, and for a `$n` in the text.
    """
    fields: list[str] = [name for cls in parameters for name in getattr(cls, "_fields", ())]
    places = {name: f"${place}" for place, name in enumerate(fields, 1)}
    if len(places) != len(fields):
        raise ValueError("two of the parameter classes have a field of the same name")
    used: set[str] = set()

    def place(match: re.Match[str]) -> str:
        if match["number"]:
            raise ValueError(f"{match[0]} stands beside named parameters")
        name = match["name"]
        if name is None:
            return match[0]
        if name not in places:
            raise ValueError(f":{name} is no field of the parameters")
        used.add(name)
        return places[name]

    statement = TOKEN.sub(place, text)
    unused = [name for name in fields if name not in used]
    if unused:
        raise ValueError(f"the statement does not use {', '.join(unused)}")
    return statement


def qualified(alias: LiteralString, columns: LiteralString) -> LiteralString:
    """Returns the column list with the alias before each name: `c.id, c.name` for `id, name`."""
    return ", ".join([f"{alias}.{name.strip()}" for name in columns.split(",")])
