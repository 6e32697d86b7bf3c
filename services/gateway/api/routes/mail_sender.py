"""The application's own mail server."""

from __future__ import annotations

from common.contracts.base import Contract, Done
from common.contracts.mail_sender import (
    CheckMailSender,
    DeleteMailSender,
    GetMailSender,
    MailSender,
    MailSenderCheck,
    MailSenderFields,
    PutMailSender,
)
from gateway.api.deps import Acting, TheBus
from gateway.api.noun_router import NounRouter
from gateway.routing import RouteSet

router = NounRouter(prefix="/mail-sender", tags=["mail_sender"])


class MailSenderToTest(Contract):
    """The mail server to test. Without one, the stored sender is tested."""

    sender: MailSenderFields | None = None


@router.get("", summary="Get the mail server")
async def get(ctx: Acting, bus: TheBus) -> MailSender:
    """Returns the mail server of the application, and whether mails wait. The password is not shown.
    Needs `settings:read`."""
    return await bus.call(ctx, GetMailSender())


@router.put("", summary="Set the mail server")
async def put(sender: MailSenderFields, ctx: Acting, bus: TheBus) -> MailSender:
    """Replaces the mail server. Mails that wait go out through the new one. Needs `settings:write`,
    and every permission that a user can have: the codes of all users go through this server."""
    return await bus.call(ctx, PutMailSender(sender=sender))


@router.delete("", summary="Delete the mail server")
async def delete(ctx: Acting, bus: TheBus) -> Done:
    """Goes back to the platform's mail server. Mails that wait go out through it. Needs
    `settings:write`."""
    return await bus.call(ctx, DeleteMailSender())


@router.post("/test", summary="Test the mail server")
async def test(request: MailSenderToTest, ctx: Acting, bus: TheBus) -> MailSenderCheck:
    """Sends a test mail to your own verified address, at most 5 times in a minute. You can also send
    a mail server that is not stored yet. Needs `settings:write`."""
    return await bus.call(ctx, CheckMailSender(sender=request.sender))


routes = RouteSet(router=router, in_applications=True)
