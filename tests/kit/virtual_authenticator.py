"""Chromium's virtual authenticator (WebDriver extension of Web Authentication 11)."""

from __future__ import annotations

from typing import Any

from playwright.async_api import CDPSession, Page

OPTIONS = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": False,
}


class VirtualAuthenticator:
    """The authenticator of a page. Its user touches it only while `touch` is on."""

    def __init__(self, cdp: CDPSession, id: str) -> None:
        self.cdp, self.id = cdp, id

    @classmethod
    async def of(cls, page: Page) -> VirtualAuthenticator:
        cdp = await page.context.new_cdp_session(page)
        await cdp.send("WebAuthn.enable", {"enableUI": False})
        added = await cdp.send("WebAuthn.addVirtualAuthenticator", {"options": OPTIONS})
        return cls(cdp, added["authenticatorId"])

    async def touch(self, enabled: bool = True) -> None:
        await self._set("AutomaticPresenceSimulation", enabled=enabled)

    async def verify_user(self, is_user_verified: bool) -> None:
        await self._set("UserVerified", isUserVerified=is_user_verified)

    async def credentials(self) -> list[dict[str, Any]]:
        answer = await self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.id})
        listed: list[dict[str, Any]] = answer["credentials"]
        return listed

    async def _set(self, name: str, **values: Any) -> None:
        await self.cdp.send(f"WebAuthn.set{name}", {"authenticatorId": self.id, **values})
