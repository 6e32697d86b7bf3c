"""What the benchmark says about the interpreter."""

from __future__ import annotations

import sys
import sysconfig

import pytest
from bench import machine
from bench.machine import optimisation

DEBIAN = "python3.11-minimal 3.11.2-6"


@pytest.mark.parametrize(
    ("options", "package", "said"),
    [
        ("'--enable-optimizations' '--with-lto'", "", "by a profile (--enable-optimizations), optimised when linked"),
        ("'--enable-shared'", DEBIAN, f"by a profile, by the rules of Debian's package {DEBIAN}"),
        ("'--prefix=/home/me/.pyenv'", "", "not optimised by a profile"),
    ],
)  # fmt: skip
def test_it_says_how_the_interpreter_was_optimised(options: str, package: str, said: str) -> None:
    """Debian runs the profile by its own rules, so `configure` does not name it."""
    assert optimisation(options, package).endswith(said)


@pytest.mark.skipif(
    sys.base_prefix != "/usr"
    or "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or ""),
    reason="another build than Debian's",
)
def test_debians_interpreter_is_known_by_its_package() -> None:
    """The version of the package stands behind its name."""
    assert f"Debian's package python3.{sys.version_info[1]}" in machine.interpreter()
