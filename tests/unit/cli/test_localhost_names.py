"""If a resolver does not know a name, a message names it with the line that helps."""

from __future__ import annotations

from typing import Any

from aero2 import localhost_names


def resolver(*known: str) -> Any:
    def resolve(name: str, _: None) -> list[str]:
        if name not in known:
            raise OSError("Name or service not known")
        return ["127.0.0.1"]

    return resolve


def test_only_unknown_names_below_localhost_are_named() -> None:
    """Names of a real domain are not checked."""
    hosts = ["shop.localhost:8080", "demo.localhost", "shop.example.com", "localhost"]

    assert localhost_names.unresolved_names(hosts, resolver("demo.localhost")) == ["shop.localhost"]
    assert (
        localhost_names.unresolved_names(hosts, resolver("demo.localhost", "shop.localhost")) == []
    )


def test_the_line_holds_all_names() -> None:
    line = localhost_names.hosts_file_command(["demo.localhost", "shop.localhost"])

    assert line == "echo '127.0.0.1 demo.localhost shop.localhost' | sudo tee -a /etc/hosts"
