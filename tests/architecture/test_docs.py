"""The documentation holds together: its links, its navigation, and its generated pages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.architecture.source import ROOT

from aero2 import llms_texts
from aero2.__main__ import app
from aero2.nats_access import SERVICES
from aero2.reference import MARK, pages
from aero2.reference.environment import names, secrets, variables
from aero2.reference.other_variables import OTHERS
from common.contracts.app_settings import AppSettings
from common.known_variables import NAMES
from common.shared_settings import prefix_of

DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
TOP = ("README.md", "CONTRIBUTING.md", "DEVELOPERS.md", "SECURITY.md", "CHANGELOG.md")
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^()\s]+(?:\([^()\s]*\)[^()\s]*)*)\)")
OF_CLUSTER = re.compile(r"(DATABASE_URL|PASSWORD)_\w*$")
"""The database of a further cluster, or a password there: any name may follow."""
VARIABLE = re.compile(r"\b(?:AERO2|NATS|POSTGRES)(?:_[A-Z0-9]+)+\b")


def code_removed(text: str) -> str:
    """The text without fenced blocks and code spans: what they hold is no link."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)


@cache
def anchors(file: Path) -> frozenset[str]:
    """The ids of a page's headings, as Python-Markdown and GitHub agree on them."""
    text = re.sub(r"^```.*?^```", "", file.read_text(), flags=re.DOTALL | re.MULTILINE)
    seen: Counter[str] = Counter()
    ids = set(re.findall(r'\bid="([^"]+)"|\{#([\w-]+)\}', text))
    all_ids = {part for pair in ids for part in pair if part}
    for heading in re.findall(r"^#{1,6} +(.+?) *$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())
        all_ids.add(slug if not seen[slug] else f"{slug}_{seen[slug]}")
        seen[slug] += 1
    return frozenset(all_ids)


def broken(file: Path, root: Path = ROOT) -> Iterator[str]:
    """Each relative link of a file that leads nowhere."""
    for target in LINK.findall(code_removed(file.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        there = (file.parent / path).resolve() if path else file
        if not there.exists() or not there.is_relative_to(root):
            yield f"{file.name}: {target} does not exist here"
        elif fragment and there.suffix == ".md" and fragment not in anchors(there):
            yield f"{file.name}: {target} has no such heading"


PLACE = re.compile(r"`((?:tests|services|libs|cli|db|bench|deploy|docs)/[\w./-]+)`")


def lost_places(text: str, root: Path = ROOT) -> list[str]:
    """Files and folders of the repository that a text names and that are not there."""
    return [place for place in PLACE.findall(text) if not (root / place).exists()]


def in_navigation(part: Any) -> Iterator[str]:
    """Every page that a part of mkdocs.yml's `nav` names."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, list):
        for each in part:
            yield from in_navigation(each)
    else:
        for each in part.values():
            yield from in_navigation(each)


def out_of_navigation(docs: Path, navigation: Any) -> list[str]:
    """Pages that the navigation does not name exactly once, or that do not exist."""
    named = Counter(in_navigation(navigation))
    there = Counter(file.relative_to(docs).as_posix() for file in docs.rglob("*.md"))
    return sorted((named - there) + (there - named))


def written() -> list[Path]:
    return [*DOCS.rglob("*.md"), *(ROOT / name for name in TOP if (ROOT / name).exists())]


def used_variables() -> set[str]:
    """Every variable of the environment that code, compose or a Caddyfile names."""
    places = ("libs", "services", "cli", "tests", "bench", "deploy")
    files = [
        file
        for place in places
        for file in (ROOT / place).rglob("*")
        if file.suffix in (".py", ".Caddyfile") or file.name == "Caddyfile"
    ]
    files += [ROOT / name for name in ("docker-compose.yml", "Dockerfile", "Makefile")]
    return {
        name
        for file in files
        if "reference" not in file.parts
        for name in VARIABLE.findall(file.read_text())
        if name.startswith("AERO2_") or name.endswith("_PASSWORD")
    }


OF_LIBRARIES = {"SSL_CERT_FILE"}
EXAMPLES = {
    "AERO2_X",
    "AERO2_X_FILE",
    "AERO2_COMPLETELY_DIFFERENT",
    "AERO2_GATEWAY_PORT_8000_TCP_ADDR",
    "AERO2_IDENTITY_POOLSIZE",
    "AERO2_LIMIT_SCAL",
    "AERO2_MASTER_KEYS",
    "AERO2_METRICS_TOKEN_FILES",
    "AERO2_POOL_SIZES",
    "AERO2_RBAC_SERVICE_HOST",
    "AERO2_RBAC_SERVICE_PORT_METRICS",
    "AERO2_RELY",
}
"""Names that only a test makes up."""


def test_every_link_leads_somewhere() -> None:
    """Relative links and anchors of docs/ and of the files beside it. A page of the site links to
    pages of the site only: the site holds nothing else."""
    roots = {file: DOCS if DOCS in file.parents else ROOT for file in written()}
    assert [each for file, root in roots.items() for each in broken(file, root)] == []


def test_every_named_file_exists() -> None:
    """A document names tests and modules that exist. Decisions may name former ones."""
    files = [
        file for file in written() if file.parent.name != "adr" and file.name != "CHANGELOG.md"
    ]
    lost = {file.name: lost_places(file.read_text()) for file in files}
    assert {name: places for name, places in lost.items() if places} == {}


def test_every_page_is_in_the_navigation() -> None:
    """The navigation names each page once."""
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    assert out_of_navigation(DOCS, navigation) == []


def test_programs_read_every_page(tmp_path: Path) -> None:
    """llms.txt lists each page once, with a description, and its links lead to the sources beside the pages.
    llms-full.txt has the text of all but those for developers of Aero2."""
    llms_texts.write(ROOT / "mkdocs.yml", tmp_path)

    listed = re.findall(
        r"^- \[.+\]\((\S+)\): \S", (tmp_path / "llms.txt").read_text(), re.MULTILINE
    )
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    assert sorted(listed) == sorted(in_navigation(navigation))
    for path in listed:
        assert (tmp_path / path).read_text() == (DOCS / path).read_text()
    whole = (tmp_path / "llms-full.txt").read_text()
    assert [path for path in listed if (DOCS / path).read_text().strip() not in whole] == [
        path for path in listed if path.startswith(("adr/", "dev/"))
    ]


def test_the_names_of_variables_are_current() -> None:
    """A variable that the file lacks would be reported as unknown. `make reference` writes it."""
    assert NAMES.read_text() == names()


def test_generated_pages_are_current() -> None:
    """docs/reference is what `make reference` writes, and holds no page of another making."""
    wanted = pages(app)
    there = {
        file.relative_to(REFERENCE).as_posix(): file.read_text()
        for file in REFERENCE.rglob("*.md")
        if file.read_text().startswith(MARK)
    }
    assert sorted(there) == sorted(wanted)
    assert [name for name, text in wanted.items() if there[name] != text] == []


def test_every_variable_is_documented_once() -> None:
    """docs/reference/environment.md has one row for each variable that anything reads."""
    rows = re.findall(r"^\| `([A-Z0-9_]+)`", pages(app)["environment.md"], re.MULTILINE)
    assert [name for name, count in Counter(rows).items() if count > 1] == []
    read = set(variables())
    of_one_service = {
        f"{prefix_of(service)}{name.removeprefix('AERO2_')}"
        for service in SERVICES
        for name in read
    }
    files = {f"{name}_FILE" for name in secrets()}
    of_one_service |= {
        f"{prefix_of(service)}{name.removeprefix('AERO2_')}"
        for service in SERVICES
        for name in files | secrets()
    }
    documented = set(rows) | files | secrets()
    documented |= {name for name in used_variables() if OF_CLUSTER.search(name)}
    assert sorted(used_variables() - documented - EXAMPLES - of_one_service) == []
    others = {name for part in OTHERS.values() for name, _, _ in part}
    assert sorted(others - used_variables() - OF_LIBRARIES) == []
    assert sorted(set(rows) ^ (read | others)) == []


def test_every_variable_says_what_it_means() -> None:
    """A name and a default alone explain nothing."""
    assert [name for name, one in variables().items() if not one.get("description")] == []


def test_every_setting_says_what_it_means() -> None:
    """Each setting of an application, and each field of the objects within."""
    schema = AppSettings.model_json_schema()
    objects = [schema, *(each for each in schema["$defs"].values() if "properties" in each)]
    silent = [
        name for one in objects for name, field in one["properties"].items()
        if not field.get("description")
    ]  # fmt: skip
    assert silent == []


def test_no_other_page_lists_variables() -> None:
    """A second table of variables would become wrong."""
    other = [file for file in written() if file != REFERENCE / "environment.md"]
    rows = [
        f"{file.name}: {line[:60]}"
        for file in other
        for line in file.read_text().splitlines()
        if line.startswith(("| `AERO2_", "| AERO2_"))
    ]
    assert rows == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("[here](other.md), [there](other.md#a-heading), [self](#top)\n\n# Top", 0),
        ("[gone](gone.md)", 1),
        ("[no such heading](other.md#gone)", 1),
        ("[outside](../../../etc/passwd)", 1),
        ("`[code](gone.md)`\n\n```\n[code](gone.md)\n```\n", 0),
        ("[elsewhere](https://example.com/gone.md)", 0),
    ],
)
def test_the_link_check_catches(tmp_path: Path, text: str, count: int) -> None:
    """A bad sample of each kind is caught, and a good one is not."""
    (tmp_path / "other.md").write_text("# A heading\n")
    page = tmp_path / "page.md"
    page.write_text(text)
    assert len(list(broken(page, tmp_path))) == count


def test_the_check_of_named_files_catches() -> None:
    """A file that is gone is named; patterns and files that are there are not."""
    text = "`tests/gone.py`, `db/schema.sql`, `tests/<folder>/a.py`, `services/*/deps.py`"
    assert lost_places(text) == ["tests/gone.py"]


def test_the_navigation_check_catches(tmp_path: Path) -> None:
    """A page that is missing, one that is named twice, and one that does not exist."""
    for name in ("good.md", "twice.md", "missing.md"):
        (tmp_path / name).write_text("# Page\n")
    navigation = [{"A": ["good.md", "twice.md"]}, {"B": [{"C": "twice.md"}, "gone.md"]}]
    assert out_of_navigation(tmp_path, navigation) == ["gone.md", "missing.md", "twice.md"]
