"""Runs a service as another version says it is: `python -m tests.kit.next_version 0.2.0 identity`."""

from __future__ import annotations

import runpy
import sys

import common.version


def main() -> None:
    """Takes the version and the module from the command line. Nothing else has imported the version yet."""
    _, version, module = sys.argv
    common.version.VERSION = version
    sys.argv[1:] = []
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
