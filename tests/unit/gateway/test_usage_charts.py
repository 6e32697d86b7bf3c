"""The charts of an application's usage say in words and numbers what they show."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.kit.usage import usage_of

from common.contracts.usage import UsageWindow
from gateway.dashboard.usage_charts import WINDOWS, UsageChart, usage_charts, window_of
from gateway.pages.languages import language

ENGLISH, GERMAN = language("en"), language("de")


def sign_ins(window: UsageWindow = "7d", code: str = "en", **options: object) -> UsageChart:
    return usage_charts(usage_of(window, **options), language(code))[0]  # type: ignore[arg-type]


def test_rows_and_bars_agree() -> None:
    """Each bar has its row in the table, and the last one is not over yet."""
    chart = sign_ins(values=[None, 0, 3, 1200, 5, 6, 7], zone="Europe/Berlin")

    assert [row.value for row in chart.rows] == ["–", "0", "3", "1,200", "5", "6", "7"]
    assert [row.note for row in chart.rows] == [
        "before the application existed",
        *[""] * 5,
        "not over yet",
    ]
    assert [bool(bar.height) for bar in chart.geometry.bars] == [False, *[True] * 6]
    assert chart.total == "1,221"
    assert chart.summary == (
        "From Thu, Jun 11, 2026 to Wed, Jun 17, 2026: 1,221 in total, at most 1,200 "
        "(Sun, Jun 14, 2026)."
    )


def test_it_speaks_the_language_of_the_page() -> None:
    """Names, numbers and dates are those of the reader."""
    chart = sign_ins(code="de", values=[0, 0, 3, 1200, 5, 6, 7])

    assert (chart.name, chart.total) == ("Anmeldungen", "1.221")
    assert chart.rows[3].name.startswith("So., 14. ")
    assert chart.before == "40 in den 7 Tagen davor"


def test_an_hour_that_the_clocks_repeat_is_named() -> None:
    """Both hours of that night have a row of their own name."""
    now = datetime(2026, 10, 25, 8, tzinfo=UTC)
    names = [row.name for row in sign_ins("24h", zone="Europe/Berlin", now=now).rows]

    assert len(set(names)) == 24
    assert "Sun, Oct 25, 2026, 2:00\u202fAM GMT+02:00" in names
    assert "Sun, Oct 25, 2026, 2:00\u202fAM GMT+01:00" in names
    assert sum("GMT" in name for name in names) == 2


@pytest.mark.parametrize("window", list(WINDOWS))
def test_the_axis_has_few_labels(window: UsageWindow) -> None:
    """Labels have room on a phone."""
    assert 3 <= len(sign_ins(window).labels) <= 4


def test_large_numbers_are_short_on_the_axis() -> None:
    """The axis says 150K where the table has each digit."""
    chart = sign_ins(values=[0, 0, 0, 0, 0, 0, 123_456])

    assert chart.lines == ["150K", "100K", "50K", "0"]
    assert chart.rows[-1].value == "123,456"


def test_nothing_before_is_said() -> None:
    """A young application is not compared with a time in which it did not exist."""
    assert sign_ins(before=None).before == "no earlier figures"


@pytest.mark.parametrize("text", ["", "1y", "7D", "<b>"])
def test_an_unknown_window_is_the_default(text: str) -> None:
    assert window_of(text) == "7d"
