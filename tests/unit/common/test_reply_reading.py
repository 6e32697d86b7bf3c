"""Replies of a service that is a version newer."""

from __future__ import annotations

import warnings
from typing import Literal

import orjson
import pytest
from pydantic import Field, ValidationError

from common.contracts.base import Contract
from common.reply_reading import read_reply

Colour = Literal["red", "green"]


class Coat(Contract):
    colour: Colour
    lining: Colour | None = None


class Wardrobe(Contract):
    coats: list[Coat] = Field(default_factory=list)
    worn: dict[Colour, int] = Field(default_factory=dict)
    size: Literal[1, 2] = 1


def read(**fields: object) -> Wardrobe:
    return read_reply(Wardrobe, orjson.dumps(fields))


def test_a_known_word_is_what_it_was() -> None:
    assert read(coats=[{"colour": "red"}]) == Wardrobe(coats=[Coat(colour="red")])


def test_an_unknown_word_passes_as_text() -> None:
    """Wherever it stands: in a list, in an optional field, as a name of a dictionary."""
    reply = read(coats=[{"colour": "blue", "lining": "pink", "later": 1}], worn={"blue": 3})

    assert type(reply.coats[0]) is Coat
    assert (reply.coats[0].colour, reply.coats[0].lining) == ("blue", "pink")
    assert reply.worn == {"blue": 3}


def test_it_is_passed_on_without_a_warning() -> None:
    """A gateway that shows a reply sends the word on."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = read(coats=[{"colour": "blue"}]).model_dump_json()
    assert orjson.loads(text)["coats"][0]["colour"] == "blue"


@pytest.mark.parametrize(
    "fields",
    [
        {"coats": [{"colour": 7}]},
        {"coats": [{"colour": "blue", "lining": 7}]},
        {"coats": [{"colour": "blue"}, {}]},
        {"coats": [{"colour": "blue"}], "size": 3},
        {"size": 3},
    ],
)
def test_what_is_no_such_reply_is_refused(fields: dict[str, object]) -> None:
    """A word that is no text, a missing field, and a number that is not listed."""
    with pytest.raises(ValidationError):
        read(**fields)
