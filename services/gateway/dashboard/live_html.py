"""Audit events as the HTML that htmx puts into a page, as server-sent events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import ValidationError

from common.contracts.audit_log import AuditRecord, GetAuditRecord
from common.message_ids import N_
from common.problems import Busy, Problem, Unauthenticated
from gateway.audit_tail import PlacedEvent
from gateway.dashboard.event_lines import line_of
from gateway.dashboard.event_subject import subject_of
from gateway.dashboard.start_steps import STEP_EVENTS
from gateway.dashboard.visit import Visit
from gateway.event_streams import RETRY, come_back_after
from gateway.pages.render import PageView

MOST_ROWS: Final = 500
"""Events of one stream. After that the page is heavy, and says that it has to be loaded again."""
RETRY_AFTER_FAULT: Final = 10_000
"""Milliseconds until the browser connects again after a fault of ours, about."""
SERVER_ERROR: Final = 500
FORMS: Final = ("row", "item")
LIVE: Final = N_("Live")
SIGNED_OUT: Final = N_("Not live: you are signed out. Reload the page.")
REFUSED: Final = N_("Not live: you may not see these events any longer.")
TOO_MANY: Final = N_("Not live: reload the page to see later events.")


@dataclass
class HtmlEvents:
    """Writes each event as a row of a table or an item of a list, as the page asked for. Activity is not
    in the log, and is left out. `visit` is the latest one that was checked."""

    page: PageView
    visit: Visit | None
    rows: int = 0

    @property
    def is_full(self) -> bool:
        return self.rows >= MOST_ROWS

    def begin(self, place: str) -> bytes:
        """Returns the note that the page is live. It has a place, because a browser that comes back before
        the first event continues there: a developer is away while they try the sign-in page."""
        state = self._message(self._state("live", LIVE))
        return f"id: {place}\n{come_back_after(RETRY)}".encode() + state

    async def write(self, events: list[PlacedEvent]) -> bytes:
        """Returns each record with its place. Of events that are no row, only the last place is written:
        the browser continues there."""
        written, skipped, step = b"", b"", b""
        for place, line in events:
            if self.is_full:
                break
            identifier = f"id: {place}\n".encode()
            row = b"" if line.is_activity else self._event(await self._record(line.text))
            written += identifier + row if row else b""
            self.rows += bool(row)
            skipped = b"" if row else identifier + b"\n"
            if line.type in STEP_EVENTS:
                step = b"event: step\ndata:\n\n"
        return written + skipped + step

    def end(self, problem: Problem) -> bytes:
        """Returns the note, and `end`, after which the browser does not come back. After a fault of ours
        it does."""
        if problem.status >= SERVER_ERROR and not isinstance(problem, Busy):
            return f"event: away\n{come_back_after(RETRY_AFTER_FAULT)}data:\n\n".encode()
        sentence = REFUSED
        if isinstance(problem, Unauthenticated):
            sentence = SIGNED_OUT
        elif isinstance(problem, Busy):
            sentence = TOO_MANY
        return self._message(self._state("over", sentence)) + b"event: end\ndata:\n\n"

    async def _record(self, line: bytes) -> AuditRecord | None:
        """Returns the event with the name of its user, as the log has it; else as the stream has it."""
        try:
            event = AuditRecord.model_validate_json(line)
        except ValidationError:
            return None
        if self.visit is None:
            return event
        checked = self.visit.ctx
        ctx = self.visit.request.context(checked.caller, app_id=checked.app_id, home=checked.home)
        try:
            return await self.visit.gateway.bus.call(ctx, GetAuditRecord(id=event.id))
        except Problem:
            return event

    def _event(self, event: AuditRecord | None) -> bytes:
        if event is None or self.visit is None:
            return b""
        form = self.visit.fields.text("as")
        return self._message(
            self._part(
                "live_event.html",
                event=event,
                form=form if form in FORMS else FORMS[0],
                line_of=line_of,
                subject_of=subject_of,
            )
        )

    def _state(self, kind: str, sentence: str) -> str:
        return self._part("live_state.html", kind=kind, sentence=self.page.translate(sentence))

    def _part(self, template: str, **more: Any) -> str:
        """Renders a part, which has the time of now."""
        home = self.visit.home if self.visit else ""
        page = replace(self.page)
        return page.show(f"dashboard/{template}", visit=self.visit, home=home, **more).body.decode()

    def _message(self, html: str) -> bytes:
        """Returns an event without a name, whose text htmx puts into the page."""
        lines = (line for line in html.splitlines() if line.strip())
        return "".join(f"data: {line}\n" for line in lines).encode() + b"\n"
