"""The log: one line per event on standard error, JSON for machines or text for people.

Everything is logged through the standard `logging`, the fields of a line as `extra`; the access log line of a
request takes a shorter path. Both share one buffer, so lines keep their order. It is written at the latest
after FLUSH_S seconds, and at once with a warning or an error. Never log a secret: log names, numbers and ids.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

FLUSH_S = 0.2
FLUSH_LINES = 400
_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName"}
"""What every record has; its other attributes are the fields of the line."""


class AccessLine(msgspec.Struct, gc=False):
    """The access log line of one request; a struct, because one is written per request."""

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


Line = AccessLine | dict[str, Any]


class LogHandler(logging.Handler):
    """Buffers lines and writes them in one format to one descriptor."""

    def __init__(self, format: str, descriptor: int | None = None) -> None:
        super().__init__()
        self._render = _json if format == "json" else _text
        self._descriptor = sys.stderr.fileno() if descriptor is None else descriptor
        self._lines: deque[Line] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def access(
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
        """Write the access log line of a request."""
        at, level, event = datetime.now(UTC), "info", "request"
        self._buffer(
            AccessLine(
                at, level, event, request_id, method, path, status, code, ms, size_bytes, address, app_id
            )
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line of a record; the event of a library's is `library`."""
        at, level = datetime.fromtimestamp(record.created, UTC), record.levelname.lower()
        line: dict[str, Any] = {"at": at, "level": level, "event": record.getMessage()}
        if record.name.partition(".")[0] != "smsign":
            line |= {"event": "library", "logger": record.name, "message": record.getMessage()}
        line |= {name: value for name, value in vars(record).items() if name not in _RECORD}
        if record.exc_info:
            line["error"] = logging.Formatter().formatException(record.exc_info)
        if record.levelno < logging.WARNING:
            self._buffer(line)
        else:
            self._lines.append(line)
            self.flush()

    def _buffer(self, line: Line) -> None:
        self._lines.append(line)
        if len(self._lines) >= FLUSH_LINES:
            self.flush()
        elif self._timer is None:
            try:
                self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self._flush_later)
            except RuntimeError:  # no event loop on this thread
                self.flush()

    def _flush_later(self) -> None:
        self._timer = None
        self.flush()

    def flush(self) -> None:
        """Write the buffered lines."""
        self.acquire()  # libraries log on their own threads
        try:
            data = self._render([self._lines.popleft() for _ in range(len(self._lines))])
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:  # the reader is gone; the service goes on
            pass
        finally:
            self.release()


def set_up(format: str) -> LogHandler:
    """Log to standard error: smsign's lines from level info on, those of libraries from warning on."""
    handler = LogHandler(format)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("smsign").setLevel(logging.INFO)
    return handler


_encode_lines = msgspec.json.Encoder(enc_hook=str).encode_lines


def _json(lines: Sequence[Line]) -> bytes:
    try:
        return _encode_lines(lines)  # all in one call: one call per line takes three times as long
    except UnicodeEncodeError:  # a lone surrogate, quoted in a traceback
        return b"".join(
            json.dumps(msgspec.to_builtins(line, enc_hook=str)).encode() + b"\n" for line in lines
        )


def _text(lines: Sequence[Line]) -> bytes:
    return b"".join(map(_text_line, lines))


def _text_line(line: Line) -> bytes:
    fields = msgspec.structs.asdict(line) if isinstance(line, AccessLine) else dict(line)
    at, level, event, error = (fields.pop(name, None) for name in ("at", "level", "event", "error"))
    rest = " ".join(f"{name}={_escape(value)}" for name, value in fields.items())
    text = f"{at:%H:%M:%S.%f} {level:<7} {event} {rest}\n"
    return (text + f"{error}\n" if error else text).encode("utf-8", "backslashreplace")


def _escape(value: object) -> str:
    # Against log injection: a path may contain line breaks and terminal control sequences.
    text = str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
