"""The tables of the benchmark."""

from __future__ import annotations

from dataclasses import replace

from bench import aims, report
from bench.floor import table as floors
from bench.measurement import Footprint, Measurement, Plan
from bench.processes import Cpu, label
from bench.windows import FLOOR, FLOOR_TOGETHER, HASH, OURS, TOGETHER, Row

PLAN = Plan(seconds=3.0, rounds=2, warm=8.0, warm_side=30.0, age=0.0, idle=0.0, attempts=1)


def row(side: str, round: int, cpu: float, workload: str = "W3") -> Row:
    return Row(side, workload, round, 1000.0, 1500.0, 9000.0, cpu, cpu - 10, 10.0, 0.0, 0)


ROWS = [row(OURS, 0, 90), *(row(OURS, n, 100) for n in (1, 2)), row("oidc-provider", 1, 200)]
BOTH = [*ROWS, row(TOGETHER, 1, 92)]


def test_ratios_have_an_aim_and_a_result_for_each_shape() -> None:
    """The median ratio to the first peer is compared with the aim of the shape."""
    lines = aims.table(Measurement(PLAN, rows=BOTH)).splitlines()

    assert lines[0] == (
        "| our CPU ÷ oidc-provider's | separate services | aim | | all in one process | aim | |"
    )
    assert lines[2] == (
        "| W3 | **0.50** (0.50–0.50) | 0.65 | reached | **0.46** (0.46–0.46) | 0.45 | missed |"
    )


def test_without_the_first_peer_there_is_no_table_of_aims() -> None:
    """Another peer has no aims."""
    assert aims.table(Measurement(PLAN, rows=[row(OURS, 1, 100), row("better-auth", 1, 1)])) == ""


def test_the_other_aims_are_beside_the_ratios() -> None:
    """Ageing, the hash, start and memory: only processes of services count."""
    rows = [
        *BOTH,
        *(row(OURS, number, cpu, "W6-code-flow") for number, cpu in ((0, 100), (1, 104))),
        row(OURS, 1, 44_000, "W6-full-login"),
        row(HASH, 1, 30_000, "W4"),
    ]
    sizes = {"gateway": 90.0, "oidc": 45.0, "postgres": 500.0, "aero2 up": 60.0}
    footprints = {
        OURS: Footprint(9.3, sizes, {"gateway": 300.0}),
        TOGETHER: Footprint(2.5, {"aero2 serve": 155.0, "aero2 up": 60.0}),
    }

    text = aims.table(Measurement(PLAN, rows=rows, footprints=footprints))

    assert "| W6 after ageing ÷ before | 1.04 | 1.05 | reached | – | 1.05 |  |" in text
    assert "| whole sign-in beyond its hash, CPU ms | 14.0 | 12 | missed | – | 8 |  |" in text
    assert "| start to ready, s | 9.3 | 5 | missed | 2.5 | 3 | reached |" in text
    assert (
        "| memory of the services at rest, MiB | 135 | 285 | reached | 155 | 130 | missed |" in text
    )
    assert "| memory of the services after the run, MiB | 300 | 250 | missed | – | 150 |  |" in text
    assert "W4 beyond" not in text


def test_an_aim_below_its_floor_is_named() -> None:
    """No work on our side reaches an aim that the least Python misses."""
    rows = [*BOTH, row(FLOOR, 1, 50), row(FLOOR_TOGETHER, 1, 95)]

    separate, together = (part.splitlines()[-1] for part in floors.table(rows).split("\n\n"))

    assert separate == "| W3 | 50 (40 + 10 + 0) | 0.25 | 0.65 | **2.0** | 2.2 | 1.0 |"
    assert together == (
        "| W3 | 95 (85 + 10 + 0) | 0.47 | **0.45, below the floor** | **1.0** | 1.0 | 1.0 |"
    )
    assert floors.table(BOTH) == ""


def test_a_ratio_to_next_to_nothing_is_left_out() -> None:
    """Other work of PostgreSQL falls into some windows of a floor that has none."""
    none = [replace(row(FLOOR, number, 50), postgres_us=us) for number, us in ((1, 30.0), (2, 0.0))]
    none.append(replace(row(FLOOR, 3, 50), postgres_us=0.0))

    line = floors.table([*ROWS, row(OURS, 3, 100), *none]).splitlines()[-1]

    assert line.endswith("| 2.2 | – |")


def test_the_other_peers_have_both_shapes() -> None:
    """Each shape of ours is divided by each peer. A peer without a pair has a dash."""
    rows = [*BOTH, row("better-auth", 1, 1000), row("better-auth", 1, 9, "W5-jwks")]

    lines = report.ratios(rows, ["better-auth"]).splitlines()

    assert lines[0] == "| our CPU ÷ another's | aero2 ÷ better-auth | together ÷ better-auth |"
    assert lines[2:] == ["| W3 | 0.10 | 0.09 |"]


def test_what_a_reader_needs_comes_first() -> None:
    """The comparison with aims, then the other peers, then figures and facts."""
    rows = [*BOTH, row("better-auth", 1, 1000), row(FLOOR, 1, 50)]
    measurement = Measurement(PLAN, rows=rows, facts={"machine": "2 CPUs"}, finished=True)

    text = report.side_by_side(measurement)

    assert text.startswith("2 rounds of windows of 3 s next to oidc-provider, better-auth.")
    places = [text.index(part) for part in ("oidc-provider's", "another's", "aero2:", "- machine")]
    assert places == sorted(places)


def test_medians_leave_out_the_time_before_ageing() -> None:
    """Round 0 is only the base of `aged ÷ fresh`."""
    last = report.absolute(ROWS, OURS).splitlines()[-1]

    assert last == "| W3 | 100 (90 + 10 + 0) | 1,000 | 1.5 | 9.0 | 1.11 |"


def test_idle_cpu_is_in_milliseconds() -> None:
    """CPU seconds in each second, by kind of process."""
    assert "| aero2 | 5.0 | 1.0 | 0.5 |" in report.idle_table({OURS: Cpu(0.005, 0.001, 0.0005)})


def test_processes_have_the_names_of_services() -> None:
    """The supervisor and a process with all services are both `aero2`, and must not be added up."""
    assert label("python", ["python", "-m", "oidc"]) == "oidc"
    assert label("oidc", ["python", "-m", "aero2.fork_server_main", "5", "gateway"]) == "oidc"
    assert label("python", ["python", "-m", "aero2", "up", "--port", "1"]) == "aero2 up"
    assert label("python", ["python", "-m", "aero2", "serve", "oidc"]) == "aero2 serve"
    assert label("nats-server", ["/bin/nats-server", "--config", "nats.conf"]) == "nats"
    assert label("postgres", ["postgres: aero2_oidc"]) == "postgres"
