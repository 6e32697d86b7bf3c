"""docs/errors.md: every code of a problem and of a field error, from the tables in common."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from string import Formatter
from typing import Final

import common
from common.problems import Problem, problem_types
from common.rule_error_codes import APPLICATION_ERRORS, CLIENT_ERRORS, USER_ERRORS
from common.value_error_codes import VALUE_ERRORS

HEAD: Final = """\
# Errors

Made by `make errors` from `libs/common`; a test keeps it so.

An error is a problem document (RFC 9457). Rely on `status` and `code`: the wording of `detail` may change.

## Problems

The gateway also answers 403 `cross_site` to requests from other sites, and 405 `method_not_allowed`.

"""
FIELDS: Final = """
## Field errors

The problems with status 422 may list what is wrong with each field in `errors`:

```json
{
  "type": "urn:problem:weak_password", "status": 422, "code": "weak_password",
  "errors": [
    {
      "field": "password",
      "code": "password_too_short",
      "params": {"minimum": 8},
      "message": "The password must have at least 8 characters."
    }
  ]
}
```

`field` is the place of the field, with dots: `profile.locale`, `users.0.email`. Rely on `code`, and show a text of your own with the values in `params`. `message` is English, and its wording may change. A later version may add codes: show `message` for a code that you do not know.
"""
SECTIONS: Final = {
    "Values": VALUE_ERRORS,
    "Users and mails": USER_ERRORS,
    "Applications and roles": APPLICATION_ERRORS,
    "OAuth clients": CLIENT_ERRORS,
}


def error_catalogue() -> str:
    """Returns the whole document."""
    parts = [HEAD, *_table("| status | code | title |", _problems()), FIELDS]
    for title, messages in SECTIONS.items():
        parts.append(f"\n### {title}\n\n")
        parts += _table("| code | params | message |", _field_errors(messages))
    return "".join(parts)


def _problems() -> Iterator[str]:
    for module in pkgutil.walk_packages(common.__path__, "common."):
        import_module(module.name)  # a class registers itself
    types: list[type[Problem]] = [Problem, *problem_types()]
    rows = [
        (kind.status, kind.code, kind.title)
        for kind in types
        if kind.__module__.startswith("common.")
    ]
    for status, code, title in sorted(rows):
        yield f"| {status} | `{code}` | {title} |"


def _field_errors(messages: Mapping[str, str]) -> Iterator[str]:
    for code, message in messages.items():
        params = ", ".join(f"`{name}`" for _, name, _, _ in Formatter().parse(message) if name)
        yield f"| `{code}` | {params} | {message} |"


def _table(head: str, rows: Iterator[str]) -> list[str]:
    return [f"{line}\n" for line in (head, "|---|---|---|", *rows)]
