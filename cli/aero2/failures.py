"""What the person at the terminal has to know, in a sentence."""


class Refused(Exception):
    """The command cannot go on. The message is shown as it is, without a traceback; `detail` is
    the end of the log that explains it."""

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail
