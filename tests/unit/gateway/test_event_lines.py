"""Every audit event has a line of plain words, in every language."""

from __future__ import annotations

import pytest

import common.events  # noqa: F401  registers every event
from common.events.base import EVENTS
from gateway.dashboard.event_lines import LINES, line_of
from gateway.dashboard.event_subject import subject_of
from gateway.pages.languages import language


def test_every_event_has_a_line() -> None:
    """No type of the catalogue is missing, and no line is left of a type that is gone."""
    assert set(LINES) == set(EVENTS)


@pytest.mark.parametrize("name", sorted(LINES))
def test_a_line_is_translated(name: str) -> None:
    """A German reader gets German words."""
    text = LINES[name].text

    assert language("en").translate(text) == text
    assert language("de").words.gettext(text) != text


def test_a_type_of_a_newer_service_shows_its_name() -> None:
    """A gateway that is older than a service still shows the service's events."""
    assert line_of("something_new").text == "something_new"


@pytest.mark.parametrize(
    ("data", "subject"),
    [
        ({"name": "Website", "reason": "x"}, "Website"),
        ({"name": None, "domain": "id.example.com"}, "id.example.com"),
        ({"name": "n" * 9000}, "n" * 200),
        ({"name": ["no", "text"]}, ""),
        ({}, ""),
    ],
)
def test_what_an_event_is_about(data: dict[str, object], subject: str) -> None:
    """The most telling name of the data, as text of bounded length."""
    assert subject_of(data) == subject
