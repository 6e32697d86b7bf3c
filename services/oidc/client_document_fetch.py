"""Fetches a client's metadata document. Strangers choose the address, so everything is bounded: the
addresses (`common.egress`), time and size. Redirects are not followed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from common import logs
from common.contracts.oauth_errors import UnusableClientDocument
from common.outgoing_http import Answer, OutgoingHttp, TooLong, Unreachable

log = logs.get(__name__)

MAX_BYTES: Final = 16_384
DEADLINE: Final = 3.0
"""Seconds, below the deadline of an authorization request."""
SHORTEST: Final = 300
LONGEST: Final = 86_400
"""Seconds for which a document is used, whatever its headers say."""
JSON_TYPE: Final = re.compile(r"application/([a-z0-9.+_-]+\+)?json", re.IGNORECASE)
MAX_AGE: Final = re.compile(r"(?:^|[,\s])max-age=\"?([0-9]{1,9})", re.IGNORECASE)
NEVER: Final = re.compile(r"(?:^|[,\s])(?:no-store|no-cache)(?:$|[,\s=])", re.IGNORECASE)


@dataclass(frozen=True)
class FetchedDocument:
    """The content of a document, and for how many seconds it may be used."""

    content: Any
    lifetime: int


async def fetch(http: OutgoingHttp, url: str) -> FetchedDocument:
    """Fetches a document. Raises UnusableClientDocument, which says what its server answered.

    Which check refused an address is not said: that would tell strangers about our network.
    """
    try:
        answer = await http.request("GET", url, deadline=DEADLINE, max_bytes=MAX_BYTES)
    except TooLong:
        raise UnusableClientDocument(f"the document has more than {MAX_BYTES} bytes") from None
    except Unreachable as error:
        log.info("client document not fetched", url=url, why=str(error))
        raise UnusableClientDocument("its server cannot be reached") from None
    return FetchedDocument(_content(answer), lifetime(answer.headers))


def _content(answer: Answer) -> Any:
    if 300 <= answer.status < 400:
        raise UnusableClientDocument("its server answered with a redirect, which is not followed")
    if answer.status != 200:
        raise UnusableClientDocument(f"its server answered with the status {answer.status}")
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
    if media_type.lower() == "text/html":
        raise UnusableClientDocument("its server answered with a web page instead of JSON")
    if not JSON_TYPE.fullmatch(media_type):
        raise UnusableClientDocument("its server answered with another type than application/json")
    try:
        return answer.json()
    except ValueError:
        raise UnusableClientDocument("the document is not valid JSON") from None


def lifetime(headers: dict[str, str]) -> int:
    """Returns the seconds for which an answer may be used (RFC 9111 section 4.2.1), within our bounds."""
    control = headers.get("cache-control", "")
    if NEVER.search(control):
        return SHORTEST
    named = MAX_AGE.search(control)
    age = headers.get("age", "0")
    seconds = int(named[1]) - (int(age) if age.isdecimal() and len(age) < 10 else 0) if named else 0
    return min(max(seconds, SHORTEST), LONGEST)
