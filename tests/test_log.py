"""What is written to the log: every line, in order, complete, whatever it contains."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from smsign.log import LogHandler

log, library = logging.Logger("smsign.test"), logging.Logger("asyncpg.pool")  # not below the root logger


@pytest.fixture(params=["json", "text"])
def format(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def handler(file: Path, format: str) -> Iterator[LogHandler]:
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY)
    handler = LogHandler(format, descriptor)
    log.handlers = library.handlers = [handler]
    yield handler
    os.close(descriptor)


async def test_a_warning_or_an_error_is_written_at_once(handler: LogHandler, file: Path) -> None:
    log.info("later")
    assert file.read_bytes() == b""
    log.warning("now")
    assert file.read_bytes().count(b"\n") == 2
    log.error("now, too")
    assert file.read_bytes().count(b"\n") == 3


@pytest.mark.parametrize("format", ["text"], indirect=True)
def test_a_path_with_line_breaks_forges_no_log_line(handler: LogHandler, file: Path) -> None:
    path = "/v1/x\n12:00:00.000000 info    forged\r\x1b[31m\u2028签名"
    handler.access("id-1", "GET", path, 404, 50016, 0.25, 60, "127.0.0.1", None)
    handler.flush()
    [line] = file.read_bytes().decode("utf-8").splitlines()
    assert r"path=/v1/x\n12:00:00.000000 info    forged\r\x1b[31m\u2028签名 status" in line


async def test_lines_of_all_kinds_are_written_in_order(handler: LogHandler, file: Path, format: str) -> None:
    log.info("first", extra={"n": 1, "place": Path("/x")})
    handler.access("id-1", "GET", "/v1/sign/1", 200, 50000, 0.25, 60, "127.0.0.1", 7)
    log.warning("third", extra={"reason": "半\ud800个"})
    try:
        raise ValueError("说\ud800")
    except ValueError:
        log.exception("fourth", extra={"request_id": "id-2"})
    log.info("fifth")
    handler.flush()
    text = file.read_bytes().decode("utf-8")
    places = [text.index(word) for word in ("first", "id-1", "third", "fourth", "ValueError", "fifth")]
    assert places == sorted(places)
    if format == "json":
        lines = [json.loads(line) for line in text.splitlines()]
        assert [line["level"] for line in lines] == ["info", "info", "warning", "error", "info"]
        assert list(lines[0]) == ["at", "level", "event", "n", "place"]
        assert list(lines[1])[:3] == ["at", "level", "event"]
        assert lines[1] | {"at": ""} == {
            "at": "",
            "level": "info",
            "event": "request",
            "request_id": "id-1",
            "method": "GET",
            "path": "/v1/sign/1",
            "status": 200,
            "code": 50000,
            "ms": 0.25,
            "bytes": 60,
            "address": "127.0.0.1",
            "app_id": 7,
        }
        assert lines[3]["request_id"] == "id-2"
        assert all(line["at"].endswith("Z") for line in lines)


def test_lines_of_libraries_have_the_same_format(handler: LogHandler, file: Path, format: str) -> None:
    try:
        raise ValueError("it\nbroke")
    except ValueError:
        library.warning("lost %d", 3, exc_info=True)
    text = file.read_text()
    assert "ValueError: it" in text
    if format == "json":
        line = json.loads(text)
        assert (line["level"], line["event"], line["logger"]) == ("warning", "library", "asyncpg.pool")
        assert line["message"] == "lost 3"
    else:
        assert "warning" in text.splitlines()[0]
        assert "message=lost 3" in text.splitlines()[0]
