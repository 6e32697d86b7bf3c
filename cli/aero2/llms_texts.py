"""The documentation for programs that read text: llms.txt (llmstxt.org), llms-full.txt, and the source of each page
beside it. `make docs` writes them into the site."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

FURTHER: Final = ("Development", "Decisions")
"""Parts of the navigation that few readers need: llms.txt lists them as optional, llms-full.txt leaves them out."""
LONGEST: Final = 200
"""Characters of a page's description."""


@dataclass(frozen=True)
class Page:
    """A page of the site: the part of the navigation, its file in docs/, and its text."""

    part: str
    path: str
    text: str

    @property
    def title(self) -> str:
        heading = re.search(r"^# +(.+)$", self.text, re.MULTILINE)
        return heading[1] if heading else self.path

    @property
    def description(self) -> str:
        """Returns the first sentence of the first paragraph, as plain text."""
        prose = re.sub(r"^```.*?^```|<!--.*?-->", "", self.text, flags=re.DOTALL | re.MULTILINE)
        body = re.sub(r"^[#|].*$", "", prose, flags=re.MULTILINE)
        paragraph = next((part for part in body.split("\n\n") if part.strip()), "")
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(paragraph.split()))
        sentence = re.split(r"(?<=[.!?]) ", plain)[0].rstrip(":")
        return sentence if len(sentence) <= LONGEST else sentence[:LONGEST].rsplit(" ", 1)[0] + " …"


def write(configuration: Path, site: Path) -> None:
    """Writes the texts of the pages that the navigation of mkdocs.yml names. Raises FileNotFoundError if one of them
    is missing."""
    settings = yaml.safe_load(configuration.read_text())
    docs = configuration.parent / settings["docs_dir"]
    pages = [Page(part, path, (docs / path).read_text()) for part, path in _paths(settings["nav"])]
    (site / "llms.txt").write_text(overview(settings, pages))
    (site / "llms-full.txt").write_text(whole(pages))
    for page in pages:
        target = site / page.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page.text)


def overview(settings: dict[str, Any], pages: list[Page]) -> str:
    """Returns llms.txt: each page with a link to its source and a description."""
    lines = [f"# {settings['site_name']}", "", f"> {settings['site_description']}"]
    parts = dict.fromkeys(page.part for page in pages if page.part not in FURTHER)
    for part in (*parts, "Optional"):
        chosen = [
            page
            for page in pages
            if page.part == part or (part == "Optional" and page.part in FURTHER)
        ]
        lines += ["", f"## {part}", ""]
        lines += [f"- [{page.title}]({page.path}): {page.description}" for page in chosen]
    return "\n".join(lines) + "\n"


def whole(pages: list[Page]) -> str:
    """Returns llms-full.txt: the pages one after the other, each after the name of its file."""
    return "\n".join(
        f"<!-- {page.path} -->\n\n{page.text.strip()}\n"
        for page in pages
        if page.part not in FURTHER
    )


def _paths(navigation: Any, part: str = "") -> Iterator[tuple[str, str]]:
    """Yields the part of the navigation and the file of each page."""
    if isinstance(navigation, str):
        yield part, navigation
    elif isinstance(navigation, list):
        for entry in navigation:
            yield from _paths(entry, part)
    else:
        for name, entry in navigation.items():
            yield from _paths(entry, part or name)
