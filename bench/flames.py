"""`python -m bench.flames [W2 W3 W6]` writes docs/flames: where the services spend their time.

python -m bench.flames                     W2, W3 and W6 on a deployment of its own
python -m bench.flames W6 --together       with all services in one process

Each picture is one process under one workload, by py-spy. It shows Python only, so use an idle machine,
and read the parts, not the whole. Two processes of a workload have pictures: gateway and oidc.
"""

from __future__ import annotations

import argparse
import html
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from bench.catalogue import WORKLOADS, prepare
from bench.deployment import Deployment, free_port, started_deployment
from bench.processes import label, process_tree
from bench.progress import say
from bench.workloads import Workload

FOLDER: Final = Path(__file__).parents[1] / "docs" / "flames"
LARGEST: Final = 300_000
"""Bytes of a picture. Pictures of longer records have more and thinner boxes."""
DURATIONS: Final = (12, 6, 3)
"""Seconds to record. The next one is tried if the picture is too large."""
RATE: Final = 200
"""Samples a second."""
WARM: Final = 5.0
TITLE: Final = re.compile(r'(<text id="title"[^>]*>)[^<]*<')
DEFAULT: Final = ("W2-es256", "W3", "W6-code-flow")
SEPARATE: Final = {"gateway": "gateway", "oidc": "oidc"}
"""The names of pictures and of processes, as `processes.label` gives them."""
TOGETHER: Final = {"together": "together"}


@dataclass(frozen=True)
class Picture:
    """One process under one workload."""

    workload: Workload
    name: str
    pid: int

    @property
    def file(self) -> Path:
        """Returns where it stands: `w2-gateway.svg`."""
        return FOLDER / f"{self.workload.name.split('-')[0].lower()}-{self.name}.svg"


def main() -> int:
    """Writes the pictures. Returns 1 if one of them failed, and 2 if py-spy is not installed."""
    options = _options()
    recorder = find_recorder()
    if recorder is None:
        print(
            "py-spy is not installed. `make setup` installs it; elsewhere: pip install py-spy",
            file=sys.stderr,
        )
        return 2
    with started_deployment(
        free_port(), *(["--together"] if options.together else [])
    ) as deployment:
        pictures = list(_pictures(deployment, options.names, together=options.together))
        written = [_write(recorder, picture) for picture in pictures]
    return 0 if written and all(written) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.flames", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", metavar="workload", help=", ".join(WORKLOADS))
    parser.add_argument("--together", action="store_true", help="all services in one process")
    options = parser.parse_args()
    options.names = [
        next((default for default in DEFAULT if default.startswith(name)), name)
        for name in options.names or DEFAULT
    ]
    unknown = [name for name in options.names if name not in WORKLOADS]
    if unknown:
        parser.error(f"no such workload: {', '.join(unknown)}")
    return options


def find_recorder() -> str | None:
    """Returns the path of py-spy in this environment or beside it, or None."""
    beside = Path(sys.executable).parent / "py-spy"
    return str(beside) if beside.exists() else shutil.which("py-spy")


def _pictures(deployment: Deployment, names: list[str], *, together: bool) -> Iterator[Picture]:
    pids = {}
    for process in process_tree(deployment.pid):
        try:
            pids[label(process.name(), process.cmdline())] = process.pid
        except psutil.Error:  # it has ended
            continue
    workloads = prepare(deployment, names)
    for workload in workloads.values():
        for name, process_name in (TOGETHER if together else SEPARATE).items():
            yield Picture(workload, name, pids[process_name])


def _write(recorder: str, picture: Picture) -> bool:
    """Records a process while the load runs, shorter and shorter until the picture is small enough.
    Returns whether it was written."""
    picture.file.parent.mkdir(exist_ok=True)
    picture.workload.ready()(WARM)
    for seconds in DURATIONS:
        new = picture.file.with_suffix(".new")
        if not _record(recorder, picture, seconds, new):
            return False
        new.write_text(
            titled(new.read_text(), f"{picture.workload.name}, {picture.name}, {seconds} s")
        )
        size = new.stat().st_size
        if size <= LARGEST:
            new.replace(picture.file)
            say(f"{picture.file.name}: {seconds} s, {size:,} bytes")
            return True
        new.unlink()
        say(f"{picture.file.name}: {seconds} s make {size:,} bytes")
    return False


def titled(svg: str, title: str) -> str:
    """Returns a picture with this title. py-spy writes its own command line there, with paths of this
    machine."""
    return TITLE.sub(rf"\g<1>{html.escape(title)}<", svg, count=1)


def _record(recorder: str, picture: Picture, seconds: int, file: Path) -> bool:
    """Returns whether py-spy wrote the file."""
    run = picture.workload.ready()
    load = threading.Thread(target=run, args=(seconds + 3.0,))
    load.start()
    command = [recorder, "record", "--pid", str(picture.pid), "--duration", str(seconds)]
    command += ["--rate", str(RATE), "--format", "flamegraph", "--output", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    load.join()
    if done.returncode or not file.exists():
        say(f"py-spy failed: {done.stderr.strip()[-500:]}")
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
