"""A developer and many users at once: a file is imported, exported, and all of them are changed. In Chromium, at
an application of their own."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import pytest
from playwright.async_api import FilePayload, Page
from tests.browser.dashboard_people import DESK, KEYBOARD, SIZES, AtDashboard, screens
from tests.kit.dashboard_developer import Developer

MANY = 8_000
"""Rows of an import that is cancelled while it runs."""
UPLOAD = "main form[enctype] button.primary"

pytestmark = pytest.mark.parametrize("screen", screens(DESK, *SIZES, *KEYBOARD))


def rows_of(count: int) -> tuple[str, bytes]:
    """Returns a word that only these users have, and a CSV file with them."""
    word = f"crew{secrets.token_hex(3)}"
    lines = [f"{word}.{number}@tides.example,{word} {number}" for number in range(count)]
    return word, "\n".join(["email,name", *lines]).encode()


async def upload(ada: AtDashboard, content: bytes) -> None:
    """Imports a file on its page."""
    await ada.open("/users")
    await ada.press("Import and export")
    file = FilePayload(name="crew.csv", mimeType="text/csv", buffer=content)
    await ada.page.set_input_files("#file", [file])
    await ada.press(ada.at(UPLOAD))
    await ada.page.wait_for_url("**/users/batches/*")


async def downloaded(page: Page, ada: AtDashboard, link: str) -> str:
    """Follows a link to a file. Returns its text."""
    async with page.expect_download() as downloading:
        await ada.press(ada.page.locator("main a", has_text=link).first)
    return Path(await (await downloading.value).path()).read_text()


async def test_many_users(ada: AtDashboard, lighthouse: Developer) -> None:
    """The import shows its progress. Rows that failed come back as a file, which can be imported once it is
    right. The export has the users. All of a search are disabled, after a page that says how many."""
    ada.slug = lighthouse.slug
    word, content = rows_of(60)
    await ada.open("/users/import")
    await ada.look("import")
    await upload(ada, content + b"\nno address,Nobody\n")
    await ada.sees("61 of 61 rows done.")
    await ada.sees("60 succeeded")
    await ada.sees("1 failed")
    await ada.look("batch")
    failed = await downloaded(ada.page, ada, "Download failed rows")
    assert json.loads(failed)["record"]["email"] == "no address"
    await upload(ada, failed.replace("no address", f"{word}.late@tides.example").encode())
    await ada.sees("1 of 1 rows done.")
    await ada.sees("1 succeeded")

    await ada.open("/users/import")
    exported = await downloaded(ada.page, ada, "NDJSON")
    assert sum(word in line for line in exported.splitlines()) == 61
    assert "password" not in exported

    await ada.open(f"/users?q={word}")
    await ada.choose("act", "Disable")
    await ada.choose("scope", "all 61 that match")
    await ada.look("users-bulk")
    await ada.press("Continue")
    await ada.sees("61 users", "h2")
    await ada.sees(word, "main")
    await ada.look("batch-start")
    await ada.press(ada.at("main form button.primary"))
    await ada.sees("61 of 61 rows done.")
    await ada.open(f"/users?q={word}&state=active")
    await ada.sees("No user matches")


@pytest.mark.long
async def test_an_import_is_cancelled(ada: AtDashboard, lighthouse: Developer) -> None:
    """Users of before stay, and the same file imports the others. Nobody exists twice."""
    ada.slug = lighthouse.slug
    word, content = rows_of(MANY)
    await upload(ada, content)
    await ada.press("Cancel")
    await ada.sees("Rows that were done stay done.")
    await ada.sees("Cancelled")
    await upload(ada, content)
    await ada.page.locator("#progress ~ .state", has_text="Done").wait_for(timeout=120_000)
    await ada.open("/users/import")
    exported = await downloaded(ada.page, ada, "NDJSON")
    assert sum(word in line for line in exported.splitlines()) == MANY


@pytest.mark.long
async def test_chosen_users_are_deleted(ada: AtDashboard, lighthouse: Developer) -> None:
    """With nothing chosen, nothing happens. Ticked users are deleted once their number was typed."""
    ada.slug = lighthouse.slug
    word, content = rows_of(3)
    await upload(ada, content)
    await ada.sees("3 of 3 rows done.")
    await ada.open(f"/users?q={word}")
    await ada.choose("act", "Delete")
    await ada.press("Continue")
    await ada.page.wait_for_url("**/users?*done=*")
    boxes = ada.page.locator("#users tbody input[type=checkbox]")
    await ada.tick(boxes.nth(0))
    await ada.tick(boxes.nth(1))
    await ada.choose("act", "Delete")
    await ada.press("Continue")
    await ada.sees("2 users", "h2")
    await ada.fill(typed="3")
    await ada.press(ada.at("main form button.primary"))
    await ada.sees("This is not the number of users.")
    await ada.fill(typed="2")
    await ada.press(ada.at("main form button.primary"))
    await ada.sees("2 of 2 rows done.")
    await ada.open(f"/users?q={word}")
    assert await ada.page.locator("#users tbody tr").count() == 1
