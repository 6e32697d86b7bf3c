"""The pages about a device that waits for its user (RFC 8628 section 3.3): the form for its code, the question
whether to sign it in, and what was decided.

Somebody may send the code of their own device to a user, to be signed in as that user (section 5.4). So the
page says what the device is, where it is and which code it shows, and what to do if the user did not start
this.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from common.contracts.authorization import Authorization
from common.ip_addresses import client_network
from gateway.http.response import GatewayResponse
from gateway.pages import client_names
from gateway.pages.fields import at
from gateway.pages.render import PageView
from gateway.pages.requested_access import requested_access

KINDS: Final = frozenset({"device", "device_approved", "device_denied"})
PATH: Final = "/device"
MAX_CODE: Final = 40
"""Characters of a code that the form shows again."""


def ask_code(
    page: PageView, user_code: str, errors: dict[str, str] | None = None
) -> GatewayResponse:
    """Shows the form for the code. One that came with the address is filled in, and nothing more."""
    value = user_code[:MAX_CODE]
    return page.show(
        "device_code.html",
        address=at(PATH, user_code=value),
        errors=errors,
        values={"user_code": value},
        prefilled=bool(value) and not errors,
    )


def show(page: PageView, authorization: Authorization) -> GatewayResponse:
    """Asks about the device, or says what was decided."""
    name, verified = authorization.client_name, authorization.claimed_name is None
    client = client_names.in_sentence(page, name or authorization.client_id, verified=verified)
    if authorization.kind == "device_approved":
        heading = page.translate("You're signed in on the device")
        says = page.translate("Close this page and go back to %(client)s.", client=client)
        return page.close(heading, says, link="/account", button=page.translate("Your account"))
    if authorization.kind == "device_denied":
        heading = page.translate("The device was refused")
        says = page.translate(
            "It was not signed in. If somebody sent you the code, they tried to use your account."
        )
        return page.close(heading, says, link="/account", button=page.translate("Your account"))
    device, client_uri = authorization.device, authorization.client_uri
    assert device is not None
    claimed_name = authorization.claimed_name
    here = client_network(page.request.ip)
    return page.show(
        "device.html",
        carried={"request": authorization.request},
        client=client,
        claimed_name=claimed_name,
        site=urlsplit(client_uri).netloc if client_uri and not claimed_name else None,
        device=device,
        same_network=device.ip_address is not None and client_network(device.ip_address) == here,
        asks=requested_access(page, authorization),
        switch=at("/accounts", request=authorization.request),
    )
