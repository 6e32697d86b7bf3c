"""The templates of the pages, and the filters that they use."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

TEMPLATES: Final = Path(__file__).parent.parent / "templates"
CODE: Final = re.compile(r"`([^`]+)`")
BOLD: Final = re.compile(r"\*\*([^*]+)\*\*")


@cache
def environment() -> Environment:
    """Returns the templates and their filters."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,
    )
    templates.filters["code"] = _with_code
    templates.filters["isolate"] = _isolate
    as_typed = Markup('<strong class="as-typed"><bdi>%s</bdi></strong>')
    templates.filters["as_typed"] = lambda text: as_typed % text
    templates.filters["bold"] = lambda text: Markup("<strong><bdi>%s</bdi></strong>") % text
    return templates


@pass_context
def _isolate(context: Context, name: str) -> object:
    """Returns the name, isolated for a sentence in the language of the page."""
    return context["language"].isolate(name)


def _with_code(text: str) -> Markup:
    """Returns the text with `code` between backticks and **bold** between double asterisks as HTML."""
    escaped = CODE.sub(r"<code>\1</code>", str(escape(text)))
    return Markup(BOLD.sub(r"<strong>\1</strong>", escaped))  # noqa: S704
