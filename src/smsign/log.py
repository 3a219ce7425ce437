"""The log: one line an event, JSON for machines or text for people, on standard error.

Lines gather in memory and leave together, at the latest after FLUSH_S seconds; a warning or an error
leaves at once. Nothing here sees a secret: callers pass names, numbers and ids.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

FLUSH_S = 0.2
FLUSH_LINES = 400


class RequestLine(msgspec.Struct, gc=False):
    """What the log says of one answered request; a struct, because it is written for each."""

    at: datetime
    level: str
    event: str
    request_id: str
    method: str
    path: str
    status: int
    code: int
    ms: float
    bytes: int
    address: str
    app_id: int | None


Line = RequestLine | dict[str, Any]


class Log:
    """Writes lines in one format to one descriptor."""

    def __init__(self, form: str, descriptor: int | None = None) -> None:
        self._render = _json if form == "json" else _text
        self._descriptor = sys.stderr.fileno() if descriptor is None else descriptor
        self._lines: list[Line] = []
        self._timer: asyncio.TimerHandle | None = None

    def info(self, event: str, **fields: object) -> None:
        """Log what happened; it may leave a little later."""
        self._gather(_line("info", event, fields))

    def request(
        self,
        request_id: str,
        method: str,
        path: str,
        status: int,
        code: int,
        ms: float,
        size_bytes: int,
        address: str,
        app_id: int | None,
    ) -> None:
        """Log an answered request."""
        now = datetime.now(UTC)
        self._gather(
            RequestLine(
                now,
                "info",
                "request",
                request_id,
                method,
                path,
                status,
                code,
                ms,
                size_bytes,
                address,
                app_id,
            )
        )

    def _gather(self, line: Line) -> None:
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
        self._lines.append(_line("warning", event, fields))
        self.flush()

    def error(self, event: str, error: BaseException, **fields: object) -> None:
        """Log a failure with its traceback."""
        fields["error"] = "".join(traceback.format_exception(error))
        self._lines.append(_line("error", event, fields))
        self.flush()

    def flush(self) -> None:
        """Write what has gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        data, self._lines = self._render(self._lines), []
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except OSError:  # nobody reads any more; the service goes on
                return


class Formatter(logging.Formatter):
    """Gives what libraries say the form of the other lines; its event is `library`."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._render = _json if form == "json" else _text

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, with its traceback if it has one."""
        fields: dict[str, object] = {"logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        line = _line(record.levelname.lower(), "library", fields)
        return self._render([line]).decode("utf-8").removesuffix("\n")


def _line(level: str, event: str, fields: dict[str, object]) -> Line:
    return {"at": datetime.now(UTC), "level": level, "event": event, **fields}


_encode_lines = msgspec.json.Encoder(enc_hook=str).encode_lines


def _json(lines: Sequence[Line]) -> bytes:
    try:
        return _encode_lines(lines)  # in one call: line by line it would cost thrice as much
    except UnicodeEncodeError:  # half a character, in what a traceback quotes
        return b"".join(
            json.dumps(msgspec.to_builtins(line, enc_hook=str)).encode() + b"\n" for line in lines
        )


def _text(lines: Sequence[Line]) -> bytes:
    return b"".join(map(_text_line, lines))


def _text_line(line: Line) -> bytes:
    fields = msgspec.structs.asdict(line) if isinstance(line, RequestLine) else dict(line)
    at, level, event, error = (fields.pop(name, None) for name in ("at", "level", "event", "error"))
    told = " ".join(f"{name}={_one_line(value)}" for name, value in fields.items())
    text = f"{at:%H:%M:%S.%f} {level:<7} {event} {told}\n"
    return (text + f"{error}\n" if error else text).encode("utf-8", "backslashreplace")


def _one_line(value: object) -> str:
    # A path may bear anything: no sender writes lines of the log, or to the terminal that shows it.
    text = str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
