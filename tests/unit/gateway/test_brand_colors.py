"""Text is readable in every brand colour, in light and dark mode."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import brand_colors as brand
from common.brand_colors import PRESETS, SURFACES, Oklch, contrast, parse, to_hex, to_oklch
from gateway.pages import assets

BASE = (Path(assets.FOLDER) / "base.css").read_text()
PAIR = re.compile(
    r"--(\w+): light-dark\(oklch\(([\d.]+)% ([\d.]+) var\(--hue\)\), oklch\(([\d.]+)% ([\d.]+)"
)
TOKENS = {
    (found[1], scheme): (round(float(found[at]) / 100, 4), float(found[at + 1]))
    for found in PAIR.finditer(BASE)
    for scheme, at in (("light", 2), ("dark", 4))
}
SCHEMES = ("light", "dark")


def ratio(one: str, other: str) -> float:
    return contrast(parse(one), parse(other))


def surfaces(scheme: str, hue: float) -> list[str]:
    return [to_hex((light, tint, hue)) for light, tint in SURFACES[scheme]]  # type: ignore[index]


def check(color: str) -> None:
    made = brand.palette(color)
    for scheme in SCHEMES:
        shades = getattr(made, scheme)
        assert ratio(shades.on_fill, shades.fill) >= 4.5
        assert ratio(shades.on_fill, shades.hover) >= 4.5
        for ground in (*surfaces(scheme, made.hue), shades.soft):
            assert ratio(shades.text, ground) >= 4.5


@pytest.mark.parametrize("color", PRESETS.values(), ids=PRESETS)
def test_every_preset_is_readable(color: str) -> None:
    """Text on the brand colour, and the brand colour as text, have a contrast of 4.5 (WCAG 1.4.3)."""
    check(color)


@given(st.integers(0, 0xFFFFFF))
def test_every_colour_is_readable(number: int) -> None:
    """The same holds for any of the sixteen million colours."""
    check(f"{number:06x}")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("hue", range(0, 360, 15))
def test_greys_are_readable_in_every_hue(scheme: str, hue: int) -> None:
    """Both kinds of text have a contrast of 4.5 on every surface, and borders of fields have 3."""

    def token(name: str) -> str:
        light, chroma = TOKENS[name, scheme]
        return to_hex((light, chroma, float(hue)))

    for ground in ("page", "surface", "inset"):
        assert ratio(token("text"), token(ground)) >= 4.5
        assert ratio(token("muted"), token(ground)) >= 4.5
    for ground in ("page", "surface"):
        assert ratio(token("edge"), token(ground)) >= 3


def test_the_surfaces_are_those_of_the_stylesheet() -> None:
    """The contrast is computed against the colours of the stylesheet."""
    for scheme in SCHEMES:
        shown = tuple(TOKENS[name, scheme] for name in ("page", "surface", "inset"))

        assert SURFACES[scheme] == shown  # type: ignore[index]


@given(st.integers(0, 0xFFFFFF))
def test_oklch_there_and_back(number: int) -> None:
    """A colour is the same after conversion to OKLCH and back to eight bits."""
    color = f"#{number:06x}"

    assert to_hex(to_oklch(parse(color))) == color


def test_a_colour_outside_srgb_keeps_lightness_and_hue() -> None:
    """A colour outside sRGB loses chroma and keeps lightness and hue."""
    wild: Oklch = (0.6, 0.4, 145.0)

    light, chroma, hue = to_oklch(parse(to_hex(wild)))

    assert (abs(light - 0.6) < 0.01, chroma < 0.4, abs(hue - 145) < 2) == (True, True, True)


@pytest.mark.parametrize(
    "value",
    ["", None, "red", "#12345", "#1234567", "javascript:alert(1)", "123456;}*{", "#gggggg"],
)
def test_what_is_no_colour_becomes_the_default(value: str | None) -> None:
    """An invalid colour never reaches a stylesheet or its address."""
    assert brand.color_of(value) == brand.DEFAULT
