"""The table of contents of what operators ask: which handler answers which contract."""

from __future__ import annotations

from typing import Any, Final

from common.bus import Handler
from common.contracts.base import Request
from common.contracts.developers import GetDeveloper, ListDevelopers
from common.contracts.support_views import GetSupportView, OpenSupportView
from common.contracts.user_search import SearchUsers
from identity import developers, support_views, user_search

OPERATOR_HANDLERS: Final[dict[type[Request[Any]], Handler]] = {
    ListDevelopers: developers.list_,
    GetDeveloper: developers.get,
    SearchUsers: user_search.search,
    OpenSupportView: support_views.open_,
    GetSupportView: support_views.get,
}
