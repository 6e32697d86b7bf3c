"""One colour of an application becomes every colour its pages use, readable by construction.

The colour is split in OKLCH, where lightness is what the eye sees. Lightness alone is moved until
text has the contrast of WCAG 2.2 (1.4.3: 4.5 to 1); hue stays, chroma gives way only where sRGB has
no such colour. A button is known by its words, so its ground needs to be no more than plainly
there: amber may stay amber.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, TypeAlias

Rgb: TypeAlias = tuple[float, float, float]
"""sRGB as displayed (gamma-encoded), each from 0 to 1."""
Oklch: TypeAlias = tuple[float, float, float]
"""Lightness 0 to 1, chroma, hue in degrees."""
Scheme: TypeAlias = Literal["light", "dark"]

HEX: Final = re.compile(r"#?([0-9a-fA-F]{6})")
TEXT: Final = 4.5
THERE: Final = 1.9

WHITE: Final[Oklch] = (1.0, 0.0, 0.0)
INK: Final[Oklch] = (0.2, 0.0, 0.0)

PRESETS: Final[dict[str, str]] = {
    "aero": "1f5fd6",
    "ink": "202227",
    "slate": "475569",
    "indigo": "4f46e5",
    "violet": "7c3aed",
    "plum": "a21caf",
    "rose": "e11d48",
    "red": "dc2626",
    "orange": "f97316",
    "amber": "f59e0b",
    "lime": "84cc16",
    "green": "16a34a",
    "teal": "0d9488",
    "sky": "0ea5e9",
}
DEFAULT: Final = PRESETS["aero"]

SURFACES: Final[dict[Scheme, tuple[tuple[float, float], ...]]] = {
    "light": ((0.984, 0.003), (1.0, 0.0), (0.968, 0.004)),
    "dark": ((0.17, 0.008), (0.215, 0.009), (0.255, 0.011)),
}
"""Lightness and chroma of --page, --surface and --inset in base.css; a test keeps them equal."""


@dataclass(frozen=True, slots=True)
class Shades:
    """The colours of one scheme. `fill` lies under `on_fill`; `text` is read on any surface and
    on `soft`."""

    fill: str
    hover: str
    on_fill: str
    text: str
    soft: str


@dataclass(frozen=True, slots=True)
class Palette:
    hue: float
    light: Shades
    dark: Shades

    def css(self) -> str:
        """Returns the palette as CSS. It holds only computed numbers: no text that somebody typed
        reaches the stylesheet."""
        pairs = "".join(
            f"--{name}:light-dark({getattr(self.light, field)},{getattr(self.dark, field)});"
            for name, field in (
                ("brand", "fill"),
                ("brand-hover", "hover"),
                ("on-brand", "on_fill"),
                ("brand-text", "text"),
                ("brand-soft", "soft"),
            )
        )
        return f"@layer brand{{:root{{--hue:{self.hue:.0f};{pairs}}}}}\n"


def color_of(value: str | None) -> str:
    """Returns six lower-case hex digits: the color that an application chose, or the default."""
    found = HEX.fullmatch((value or "").strip())
    return found[1].lower() if found else DEFAULT


@lru_cache(maxsize=1000)
def palette(color: str) -> Palette:
    """The colours for `color`, six hex digits."""
    brand = to_oklch(parse(color))
    return Palette(hue=brand[2], light=_shades(brand, "light"), dark=_shades(brand, "dark"))


def _shades(brand: Oklch, scheme: Scheme) -> Shades:
    lightness, chroma, hue = brand
    grey = chroma < 0.03
    if scheme == "dark" and grey and lightness < 0.5:
        lightness = 0.96 - lightness / 4  # ink on paper becomes paper on ink
    grounds = [(light, tint, hue) for light, tint in SURFACES[scheme]]
    darker, lighter = -0.004, 0.004
    apart = darker if scheme == "light" else lighter

    fill = _until((lightness, chroma, hue), apart, lambda c: _over(c, grounds[:2]) >= THERE)
    white_reads = contrast(to_rgb(fill), to_rgb(WHITE)) >= 3.5
    on_fill = WHITE if white_reads else INK
    away = darker if white_reads else lighter
    fill = _until(fill, away, lambda c: _over(c, [on_fill]) >= TEXT)
    hover = _moved(fill, 12 * away)

    soft: Oklch = (
        (0.955, min(chroma, 0.02), hue) if scheme == "light" else (0.29, min(chroma, 0.035), hue)
    )
    text = _until((lightness, chroma, hue), apart, lambda c: _over(c, [*grounds, soft]) >= TEXT)
    return Shades(*(to_hex(c) for c in (fill, hover, on_fill, text, soft)))


def _moved(color: Oklch, by: float) -> Oklch:
    return (min(1.0, max(0.0, color[0] + by)), color[1], color[2])


def _until(color: Oklch, step: float, good: Callable[[Oklch], bool]) -> Oklch:
    """Move the lightness by `step` until `good`; black or white always is."""
    while not good(color) and 0.0 < color[0] + step < 1.0:
        color = _moved(color, step)
    return color


def _over(color: Oklch, grounds: list[Oklch]) -> float:
    """The least contrast over `grounds`, of the colours as eight bits a channel show them."""
    shown = parse(to_hex(color))
    return min(contrast(shown, parse(to_hex(ground))) for ground in grounds)


def parse(color: str) -> Rgb:
    """Raises ValueError where `color` is not six hex digits."""
    found = HEX.fullmatch(color)
    if found is None:
        raise ValueError("a colour is six hex digits")
    digits = found[1]
    red, green, blue = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    return red, green, blue


def to_hex(color: Oklch) -> str:
    """Returns a color as `#rrggbb`."""
    return "#" + "".join(f"{round(part * 255):02x}" for part in to_rgb(color))


def _decoded(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else math.pow((part + 0.055) / 1.055, 2.4)


def _encoded(part: float) -> float:
    return part * 12.92 if part <= 0.0031308 else 1.055 * math.pow(part, 1 / 2.4) - 0.055


def contrast(one: Rgb, other: Rgb) -> float:
    """Returns the contrast ratio of two colors (WCAG 2.2, definition of contrast ratio)."""
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(color: Rgb) -> float:
    red, green, blue = (_decoded(part) for part in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def to_oklch(color: Rgb) -> Oklch:
    """Returns a color in OKLCH (Björn Ottosson, A perceptual color space for image processing,
    2020)."""
    red, green, blue = (_decoded(part) for part in color)
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    lightness = 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short
    a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    return lightness, math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360


def _linear(color: Oklch) -> Rgb:
    lightness, chroma, hue = color
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def to_rgb(color: Oklch) -> Rgb:
    """The nearest sRGB colour of the same lightness and hue: chroma shrinks until it fits."""
    lightness, chroma, hue = color
    low, high = 0.0, chroma
    linear = _linear(color)
    if not _fits(linear):
        for _ in range(20):
            middle = (low + high) / 2
            low, high = (
                (middle, high) if _fits(_linear((lightness, middle, hue))) else (low, middle)
            )
        linear = _linear((lightness, low, hue))
    red, green, blue = (min(1.0, max(0.0, _encoded(max(0.0, part)))) for part in linear)
    return red, green, blue


def _fits(linear: Rgb) -> bool:
    return all(-0.0005 <= part <= 1.0005 for part in linear)
