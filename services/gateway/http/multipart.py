"""Forms with a file (multipart/form-data, RFC 7578), bounded like every body."""

from __future__ import annotations

import re
from typing import Final

from common.contracts.authorization import Params
from common.contracts.oauth_errors import OAuthError
from gateway.http.request import GatewayRequest

FORM_DATA: Final = "multipart/form-data"
MOST_PARTS: Final = 20
LONGEST_HEADERS: Final = 2_000
"""Bytes of the headers of a part."""
BOUNDARY: Final = re.compile(r';\s*boundary="?([A-Za-z0-9\'()+_,./:=?-]{1,70})"?\s*(?:;|$)')
NAME: Final = re.compile(rb'^content-disposition:[^\r\n]*;\s*name="([^"\r\n]*)"', re.I | re.M)
FILE_NAME: Final = re.compile(rb'^content-disposition:[^\r\n]*;\s*filename="', re.I | re.M)


async def form_data(request: GatewayRequest) -> Params:
    """Reads the fields of the form in the body. A file that is not UTF-8 has lone surrogates in its
    place. Raises OAuthError if the body is no such form."""
    match = BOUNDARY.search(request.header(b"content-type") or "")
    if request.media_type != FORM_DATA or match is None:
        raise OAuthError("send the form as multipart/form-data")
    body = await request.body.read()
    mark = b"\r\n--" + match[1].encode()
    pieces = (b"\r\n" + body).split(mark, MOST_PARTS + 2)
    if len(pieces) < 2 or pieces[0] or not pieces[-1].startswith(b"--"):
        raise OAuthError("the form is incomplete, or has too many fields")
    return [_field(piece) for piece in pieces[1:-1]]


def _field(piece: bytes) -> tuple[str, str]:
    """Returns the name and the value of a part. Raises OAuthError."""
    headers, end, value = piece[: LONGEST_HEADERS + 4].partition(b"\r\n\r\n")
    name = NAME.search(headers)
    if not end or name is None:
        raise OAuthError("a part of the form has no name")
    value = piece[len(headers) + len(end) :]
    is_file = FILE_NAME.search(headers) is not None
    try:
        errors = "surrogateescape" if is_file else "strict"
        return name[1].decode(), value.decode("utf-8-sig", errors)
    except UnicodeDecodeError:
        raise OAuthError("the form is not UTF-8") from None
