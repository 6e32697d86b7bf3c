"""Error sentences for forms: beside the field they concern, and with what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from common.contracts.sign_in import (
    MailsSent,
)
from common.field_errors import MESSAGES, FieldError, field_errors
from common.message_ids import N_
from common.problems import (
    Busy,
    Invalid,
    Problem,
    RateLimited,
    Unavailable,
)
from common.value_error_codes import VALUE_ERRORS
from gateway.pages.form_sentences import FIELDS, OTHERWISE, SENTENCES
from gateway.pages.languages import Language


class Errors(dict[str, str]):
    """Sentences by field, and the status of the page that shows them. The key "" holds a sentence
    that concerns no field."""

    status = 422
    retry_after: int | None = None


def errors_of(language: Language, error: Problem | ValidationError) -> Errors:
    """Returns the sentences for an error. Raises it again if the visitor can do nothing about it."""
    sentences = Errors(_sentences(language, error))
    if isinstance(error, RateLimited | Unavailable):
        sentences.status, sentences.retry_after = (
            error.status,
            int(error.extra.get("retry_after", 1)),
        )
    return sentences


def _sentences(language: Language, error: Problem | ValidationError) -> dict[str, str]:
    if isinstance(error, ValidationError):
        listed = field_errors(error.errors(include_input=False, include_url=False))
        return _by_field(language, listed)
    if isinstance(error, RateLimited):
        return {"": _wait(language, error)}
    for kind in type(error).__mro__:
        if kind in SENTENCES:
            field, sentence = SENTENCES[kind]
            return {field: language.translate(sentence)}
    if isinstance(error, Invalid) and error.extra.get("errors"):
        return _by_field(language, error.extra["errors"])
    if isinstance(error, Unavailable):
        return {"": language.translate(SENTENCES[Busy][1])}
    raise error


def _by_field(language: Language, errors: Sequence[FieldError]) -> dict[str, str]:
    """Returns the text for each field. Several rules that a field breaks are all named."""
    texts: dict[str, str] = {}
    for error in errors:
        name, line = _place(error["field"])
        text = sentence_of(language, name, error)
        if line is not None:
            number = language.number(line)
            text = language.translate(N_("Line %(number)s: %(error)s"), number=number, error=text)
        if name not in texts:
            texts[name] = text
        elif text not in texts[name]:
            texts[name] = f"{texts[name]} {text}"
    return texts


def _place(field: str) -> tuple[str, int | None]:
    """Returns the name of a field, and the line for an entry of a list: one stands in each line."""
    *parents, name = field.split(".")
    if name.isdecimal() and parents:
        return parents[-1], int(name) + 1
    return name, None


def sentence_of(language: Language, name: str, error: FieldError) -> str:
    """Returns the sentence for one error of the field `name`."""
    code = error["code"]
    if code not in MESSAGES:
        return language.translate(FIELDS.get(name, OTHERWISE))
    if code in VALUE_ERRORS and name in FIELDS:
        return language.translate(FIELDS[name])
    params = {key: language.isolate(value) for key, value in error["params"].items()}
    return language.translate(MESSAGES[code]).format_map(params)


def _wait(language: Language, error: RateLimited) -> str:
    seconds = max(1, round(float(error.extra.get("retry_after", 60))))
    if isinstance(error, MailsSent):
        return language.count(
            "We've just sent e-mails to this address. Check your inbox or try again in %(num)d minute.",
            "We've just sent e-mails to this address. Check your inbox or try again in %(num)d minutes.",
            -(-seconds // 60),
        )
    if seconds < 90:
        return language.count(
            "Too many attempts. Try again in %(num)d second.",
            "Too many attempts. Try again in %(num)d seconds.",
            seconds,
        )
    return language.count(
        "Too many attempts. Try again in %(num)d minute.",
        "Too many attempts. Try again in %(num)d minutes.",
        -(-seconds // 60),
    )
