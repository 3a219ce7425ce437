"""The log: one line an event, JSON for machines or text for people, on standard error.

Lines gather in memory and leave together, at the latest after FLUSH_S seconds; a warning or an error
leaves at once. Nothing here sees a secret: callers pass names, numbers and ids.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
import traceback
from datetime import UTC, datetime

import msgspec

FLUSH_S = 0.2
FLUSH_LINES = 400


class RequestLine(msgspec.Struct, gc=False):
    """What the log says of one answered request; a struct, because it is written for each."""

    request_id: str
    method: str
    path: str
    status: int
    code: int
    ms: float
    bytes: int
    address: str
    app_id: int | None


class Log:
    """Writes lines in one format to one descriptor."""

    def __init__(self, form: str, descriptor: int | None = None) -> None:
        self._render = _json if form == "json" else _text
        self._descriptor = sys.stderr.fileno() if descriptor is None else descriptor
        self._lines: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    def info(self, event: str, **fields: object) -> None:
        """Log what happened; it may leave a little later."""
        self._gather(self._render("info", event, fields))

    def request(self, line: RequestLine) -> None:
        """Log an answered request."""
        self._gather(self._render("info", "request", line))

    def _gather(self, line: bytes) -> None:
        self._lines.append(line)
        if len(self._lines) >= FLUSH_LINES:
            self.flush()
        elif self._timer is None:
            try:
                self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self.flush)
            except RuntimeError:  # no loop: a command, not a server
                self.flush()

    def warning(self, event: str, **fields: object) -> None:
        """Log what an operator should look at."""
        self._lines.append(self._render("warning", event, fields))
        self.flush()

    def error(self, event: str, error: BaseException, **fields: object) -> None:
        """Log a failure with its traceback."""
        fields["error"] = "".join(traceback.format_exception(error))
        self._lines.append(self._render("error", event, fields))
        self.flush()

    def flush(self) -> None:
        """Write what has gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        data, self._lines = b"".join(self._lines), []
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except OSError:  # nobody reads any more; the service goes on
                return


_encode = msgspec.json.Encoder(enc_hook=str).encode


def _json(level: str, event: str, fields: dict[str, object] | RequestLine) -> bytes:
    return b'{"at":"%b","level":"%b","event":"%b",%b\n' % (
        _now().encode(),
        level.encode(),
        event.encode(),
        _encode(fields)[1:],
    )


def _text(level: str, event: str, fields: dict[str, object] | RequestLine) -> bytes:
    if isinstance(fields, RequestLine):
        fields = msgspec.structs.asdict(fields)
    error = fields.pop("error", None)
    told = " ".join(f"{name}={value}" for name, value in fields.items())
    text = f"{_now()[11:23]} {level:<7} {event} {told}\n"
    return (text + f"{error}\n" if error else text).encode("utf-8", "backslashreplace")


_second = (0, "")


def _now() -> str:
    # Formatting a date costs more than the rest of the line, so it is done once a second.
    global _second
    now_ns = time.time_ns()
    second, rest = divmod(now_ns, 1_000_000_000)
    if second != _second[0]:
        _second = (second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S"))
    return f"{_second[1]}.{rest // 1000:06d}Z"
