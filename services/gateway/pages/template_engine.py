"""The templates of the pages, and the filters that they use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.runtime import Context
from markupsafe import Markup, escape

from gateway.pages.languages import language

TEMPLATES: Final = Path(__file__).parent.parent / "templates"
CODE: Final = re.compile(r"`([^`]+)`")
BOLD: Final = re.compile(r"\*\*([^*]+)\*\*")
FIXED_SENTENCE: Final = ("name", "lparen", "string", "rparen")
"""The types of the tokens of a sentence without values, like `_("Sign in")`."""


class FixedSentences(Extension):
    """Translates the sentences without values as templates are compiled. A list has dozens of them in each
    row, and to look up each costs more than to write it."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Yields the tokens of a template, with the translation in place of each `_("…")`."""
        gettext = cast("Callable[[str], str]", self.environment.globals["gettext"])
        tokens = list(stream)
        place = 0
        while place < len(tokens):
            call = tokens[place : place + len(FIXED_SENTENCE)]
            if call[0].value == "_" and tuple(token.type for token in call) == FIXED_SENTENCE:
                yield Token(call[2].lineno, "string", gettext(call[2].value))
                place += len(call)
            else:
                yield call[0]
                place += 1


@cache
def environment(code: str) -> Environment:
    """Returns the templates in a language, and their filters."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", FixedSentences],
        auto_reload=False,
    )
    words = language(code).words
    templates.globals.update(gettext=words.gettext, ngettext=words.ngettext)
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
