"""`aero2 callout config` makes keys once, and says what each side needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.kit.callout import settings_of

from aero2.callout import prepare
from aero2.failures import CommandError

ONE, TWO = "018f0000-0000-7000-8000-00000000000a", "018f0000-0000-7000-8000-0000000000b2"


def test_keys_are_made_once(tmp_path: Path) -> None:
    """A second run keeps them, so that an application can be added. Only their owner reads them."""
    first, _ = prepare(tmp_path / "keys", [f"{ONE}=A"], servers="nats://n:4222")
    seeds = {file.name: file.read_text() for file in (tmp_path / "keys").iterdir()}
    second, variables = prepare(
        tmp_path / "keys", [f"{ONE}=A", f"{TWO}=B"], servers="nats://n:4222"
    )

    assert seeds == {file.name: file.read_text() for file in (tmp_path / "keys").iterdir()}
    assert sorted(seeds) == ["issuer.seed", "password", "xkey.seed"]
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "keys").iterdir()} == {0o600}
    assert "  B {}" in second
    assert "  B {}" not in first
    for seed in seeds.values():
        assert seed.strip() not in second + variables
    settings = settings_of(variables, "nats://n:4222")
    assert settings.callout_accounts == {ONE: "A", TWO: "B"}
    assert settings.issuer.public in second
    assert settings.xkey.public in second


@pytest.mark.parametrize(
    "pairs",
    [
        ["shop=A"],
        [ONE],
        [f"{ONE}=A B"],
        [f"{ONE}=A", f"{TWO}=A"],
        [f"{ONE}=A", f"{ONE}=B"],
        [f"{ONE}=AUTH_CALLOUT"],
        [f"{ONE}=SYS"],
    ],
)
def test_what_is_no_account_is_refused(tmp_path: Path, pairs: list[str]) -> None:
    with pytest.raises(CommandError):
        prepare(tmp_path / "keys", pairs, servers="nats://n:4222")
    assert not (tmp_path / "keys").exists()


def test_a_damaged_key_is_refused(tmp_path: Path) -> None:
    """It is not replaced: the server knows its counterpart."""
    prepare(tmp_path, [f"{ONE}=A"], servers="nats://n:4222")
    (tmp_path / "issuer.seed").write_text("nonsense")
    with pytest.raises(CommandError, match="damaged"):
        prepare(tmp_path, [f"{ONE}=A"], servers="nats://n:4222")
