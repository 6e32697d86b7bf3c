"""An application that gets its rows back, so that each test of a change finds what was there at first."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from tests.architecture.source import contracts
from tests.isolation.cases import askers, case
from tests.isolation.restoring import SavedRows
from tests.isolation.sides import KEY_HOLDER, Sides
from tests.isolation.test_every_contract import in_dashboard

from common.context import Context
from common.contracts.base import Request
from common.contracts.mail_templates import PutTemplate, TemplateText
from common.contracts.roles import CreateRole
from common.contracts.versioned import Versioned
from common.ids import DASHBOARD
from common.testing import context

OURS: Final = TemplateText(subject="ours", text="{{ code }}", html="{{ code }}")
GUIDE: Final = "guide"
"""A role for members of organizations."""


@dataclass(frozen=True)
class Ground:
    """A world whose application `home` gets its rows back after each change."""

    sides: Sides
    saved: SavedRows

    def contexts(self, contract: type[Request[Any]]) -> list[Context]:
        if in_dashboard(contract):
            return [context(DASHBOARD, self.sides.home.developer, within=20)]
        if contract.subject.startswith("tenancy.platform_settings."):
            operator = replace(self.sides.home.developer, permissions=frozenset({"*"}))
            return [context(DASHBOARD, operator, within=20)]
        return [self.sides.ctx(self.sides.home, who) for who in askers(contract, self.sides.home)]

    def request(self, contract: type[Request[Any]]) -> Request[Any]:
        return case(contract, self.sides.home).request

    async def rows(self) -> list[dict[str, str]]:
        return [await self.sides.rows(id) for id in (self.sides.home.app_id, DASHBOARD)]

    async def shown(self, ctx: Context, contract: type[Request[Any]]) -> Versioned:
        shown = await self.sides.bus.call(ctx, self.request(reading(contract)))
        assert isinstance(shown, Versioned)
        return shown

    async def restore(self) -> None:
        await self.sides.owner.execute("DELETE FROM platform_settings")
        await self.saved.restore(self.sides)

    @classmethod
    async def prepare(cls, sides: Sides) -> Ground:
        """Adds what `populate` leaves out, and copies the rows."""
        put = PutTemplate(kind="reset", locale="en", template=OURS)
        await sides.ask(sides.home, KEY_HOLDER, put)
        role = CreateRole(kind="organization", id=GUIDE, name="Guide")
        await sides.ask(sides.home, KEY_HOLDER, role)
        return cls(sides, await SavedRows.save(sides, sides.home.app_id))


def reading(contract: type[Request[Any]]) -> type[Request[Any]]:
    """Returns the contract that reads what this one changes."""
    noun = re.sub("^(Update|Delete|Put|Reset)", "", contract.__name__)
    return next(one for one in contracts().values() if one.__name__ == f"Get{noun}")
