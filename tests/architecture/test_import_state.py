"""Modules make nothing at their import that each process must have for itself.

Processes are forked from one that has imported all services (`aero2/fork_server_main.py`). What a module
makes at its import, all of them share: a key would be no secret of one service, and a thread or a
connection would not survive the fork.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from .source import ROOT

OF_A_PROCESS = (
    "secrets.",
    "random.",
    "uuid.",
    "os.urandom",
    "os.getpid",
    "os.environ",
    "os.getenv",
    "time.time",
    "time.monotonic",
    "socket.socket",
    "threading.Thread",
    "ThreadPoolExecutor",
    "open",
)
"""Calls whose result belongs to one process. A name with a dot at its end is a whole module."""


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Yields the expressions that run when a module is imported: none in the body of a function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        yield child
        yield from at_import(child)


def state_of_a_process(source: str) -> list[str]:
    """Returns the calls and reads of a module's import whose result belongs to one process."""
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if not _is_main(node)]
    names = {
        ast.unparse(node.func if isinstance(node, ast.Call) else node)
        for node in at_import(tree)
        if isinstance(node, ast.Call)
        or (isinstance(node, ast.Attribute) and node.attr == "environ")
    }
    return sorted(
        name
        for name in names
        for word in OF_A_PROCESS
        if name == word
        or (word.endswith(".") and name.startswith(word))
        or name.startswith(f"{word}.")
    )


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def modules() -> Iterator[Path]:
    for folder in ("libs/common", "services"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def test_no_module_makes_state_of_a_process() -> None:
    found = {
        str(file.relative_to(ROOT)): state
        for file in modules()
        if (state := state_of_a_process(file.read_text()))
    }
    assert found == {}


def test_the_rule_catches_a_bad_module() -> None:
    bad = """
KEY = secrets.token_bytes(32)
class Cache:
    started = time.time()
    folder = os.environ["HOME"]
def good():
    return secrets.token_bytes(32)
made = lambda: os.urandom(8)
if __name__ == "__main__":
    print(os.environ["HOME"])
"""
    assert state_of_a_process(bad) == ["os.environ", "secrets.token_bytes", "time.time"]
