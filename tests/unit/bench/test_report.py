"""The tables of the benchmark."""

from __future__ import annotations

from bench import report
from bench.processes import Cpu
from bench.windows import OURS, Row


def row(side: str, round: int, cpu: float) -> Row:
    return Row(side, "W3", round, 1000.0, 1500.0, 9000.0, cpu, cpu - 10, 10.0, 0.0, 0)


ROWS = [row(OURS, 0, 90), *(row(OURS, n, 100) for n in (1, 2)), row("oidc-provider", 1, 200)]


def test_ratios_have_a_target_and_a_result() -> None:
    """The median ratio is compared with the target. A peer without a pair has none."""
    lines = report.ratios(ROWS, ["oidc-provider", "better-auth"]).splitlines()

    assert lines[2] == "| W3 | **0.50** (0.50–0.50) | – | 0.65 | reached |"
    assert "missed" in report.ratios([*ROWS, row("oidc-provider", 2, 50)], ["oidc-provider"])


def test_medians_leave_out_the_time_before_ageing() -> None:
    """Round 0 is only the base of `aged ÷ fresh`."""
    last = report.absolute(ROWS, OURS).splitlines()[-1]

    assert last == "| W3 | 100 (90 + 10 + 0) | 1,000 | 1.5 | 9.0 | 1.11 |"


def test_idle_cpu_is_in_milliseconds() -> None:
    """CPU seconds in each second, by kind of process."""
    assert "| aero2 | 5.0 | 1.0 | 0.5 |" in report.idle_table({OURS: Cpu(0.005, 0.001, 0.0005)})
