"""The built-in mails in every language."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from common.contracts.mail_templates import TemplateNotFound
from common.contracts.tenants import Tenant
from common.ids import new_id
from identity.mail_languages import FOLDER, LOCALES, Locale, closest
from identity.mail_rendering import render
from identity.mail_template_check import check
from identity.mail_texts import MAILS, built_in_source
from identity.mail_variables import KIND_SAMPLES, sample_data

ROOT = Path(__file__).parents[3]
PLACE = re.compile(r"\{\{ ?(\w+) ?\}\}")
TRANSLATED = [locale for locale in LOCALES if locale != "en"]
TENANT = Tenant(
    app_id=new_id(),
    slug="shop",
    name="Shop",
    state="active",
    host="shop.example",
    hosts=["shop.example"],
    origin="https://shop.example",
)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every text of the mails, as `pybabel extract` finds them now."""
    target = tmp_path_factory.mktemp("words") / "messages.pot"
    command = [sys.executable, "-m", "babel.messages.frontend", "-q", "extract"]
    mapping = ["-F", "services/identity/locales/babel.cfg", "-k", "translate"]
    subprocess.run(
        [*command, *mapping, "-o", str(target), "services/identity"], check=True, cwd=ROOT
    )
    with target.open("rb") as found:
        return {str(entry.id) for entry in read_po(found) if entry.id}


@pytest.mark.parametrize("locale", TRANSLATED)
def test_every_text_is_translated(locale: Locale, texts: set[str]) -> None:
    """With the same variables, and nothing is translated that no mail says."""
    with (FOLDER / locale / "LC_MESSAGES" / "messages.po").open("rb") as found:
        words = {str(entry.id): str(entry.string) for entry in read_po(found) if entry.id}

    assert words.keys() == texts, "run `make words`, then translate what is empty"
    for text, translation in words.items():
        assert translation, text
        assert sorted(PLACE.findall(translation)) == sorted(PLACE.findall(text))


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("kind", list(MAILS))
def test_a_built_in_mail_is_a_template_that_an_application_may_store(
    kind: str, locale: Locale
) -> None:
    """It passes the check of templates, and renders with and without its optional data."""
    source = built_in_source(kind, locale)
    check(kind, source)
    least = {"code": "123 456", "link": "https://shop.example/x", "minutes": 10, "days": 7}
    least |= {"provider": "Example"} if kind == "link_account" else {}
    for data in (sample_data(kind, TENANT), least):
        mail = render(kind, locale, TENANT, data=data, source=source)
        assert "{" not in mail.subject + mail.text
        assert "  " not in mail.text.replace("    123 456", "")
        assert "Shop" in mail.subject


def test_kinds_agree() -> None:
    """Each kind of mail has texts and variables; others raise TemplateNotFound."""
    assert MAILS.keys() == KIND_SAMPLES.keys()
    with pytest.raises(TemplateNotFound):
        built_in_source("unknown", "en")


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        ("en", "An administrator of Shop requires you to choose a new password."),
        ("de", "Ein Administrator von Shop verlangt, dass Sie ein neues Passwort wählen."),
    ],
)
def test_a_required_reset_says_who_requires_it(locale: Locale, text: str) -> None:
    """The user requested nothing, so nothing tells them to ignore the mail."""
    source = built_in_source("reset", locale)
    data = {**sample_data("reset", TENANT), "device": "", "ip": "", "required": "yes"}

    required = render("reset", locale, TENANT, data=data, source=source)
    requested = render("reset", locale, TENANT, data={**data, "required": ""}, source=source)

    assert text in required.text
    assert text in required.html
    assert "gnor" not in required.text
    assert text not in requested.text
    assert "gnor" in requested.text


@pytest.mark.parametrize(
    ("wish", "locale"),
    [("de-AT", "de"), ("de_DE", "de"), ("DE", "de"), ("fr", "en"), (None, "en"), ("", "en")],
)
def test_the_language_of_a_recipient(wish: str | None, locale: Locale) -> None:
    """English, unless the first part of the tag is a language that we have."""
    assert closest(wish) == locale
