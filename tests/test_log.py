"""What reaches the log: every line, in order, whole, whatever is in it."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

import pytest

from smsign.log import Formatter, Log


async def test_what_an_operator_should_look_at_leaves_at_once(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY)
    log = Log("json", descriptor)
    told = []
    log.info("later")
    told.append((tmp_path / "log").read_bytes().count(b"\n"))
    log.warning("now")
    told.append((tmp_path / "log").read_bytes().count(b"\n"))
    log.error("now, too", ValueError("x"))
    told.append((tmp_path / "log").read_bytes().count(b"\n"))
    os.close(descriptor)
    assert told == [0, 2, 3]


def test_no_sender_writes_a_line_of_its_own(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY)
    log = Log("text", descriptor)
    path = "/v1/x\n12:00:00.000000 info    forged\r\x1b[31m\u2028签名"
    log.request("id-1", "GET", path, 404, 50016, 0.25, 60, "127.0.0.1", None)
    log.flush()
    os.close(descriptor)
    [line] = (tmp_path / "log").read_bytes().decode("utf-8").splitlines()
    assert r"path=/v1/x\n12:00:00.000000 info    forged\r\x1b[31m\u2028签名 status" in line


@pytest.mark.parametrize("form", ["json", "text"])
def test_lines_of_all_kinds_leave_in_order(tmp_path: Path, form: str) -> None:
    descriptor = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY)
    log = Log(form, descriptor)
    log.info("first", n=1, path=Path("/x"))
    log.request("id-1", "GET", "/v1/sign/1", 200, 50000, 0.25, 60, "127.0.0.1", 7)
    log.warning("third", reason="半\ud800个")
    try:
        raise ValueError("说\ud800")
    except ValueError as error:
        log.error("fourth", error, request_id="id-2")
    log.flush()
    os.close(descriptor)
    text = (tmp_path / "log").read_bytes().decode("utf-8")
    places = [text.index(word) for word in ("first", "id-1", "third", "fourth", "ValueError")]
    assert places == sorted(places)
    if form == "json":
        lines = [json.loads(line) for line in text.splitlines()]
        assert [line["level"] for line in lines] == ["info", "info", "warning", "error"]
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
        assert all(line["at"].endswith("Z") for line in lines)


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_libraries_say_has_the_form_of_the_other_lines(form: str) -> None:
    try:
        raise ValueError("it\nbroke")
    except ValueError:
        record = logging.LogRecord("asyncpg.pool", logging.WARNING, "", 0, "lost %d", (3,), sys.exc_info())
    line = Formatter(form).format(record)
    assert "ValueError: it" in line
    if form == "json":
        told = json.loads(line)
        assert (told["level"], told["event"], told["logger"]) == ("warning", "library", "asyncpg.pool")
        assert told["message"] == "lost 3"
    else:
        assert "warning" in line.splitlines()[0]
        assert "message=lost 3" in line.splitlines()[0]
