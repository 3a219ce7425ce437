"""Load generation with wrk, and the memory of the server meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import msgspec
import psutil


class Workload(msgspec.Struct, frozen=True):
    """The requests: constant, or each with one line of `lines` (a header value, or `path header`)."""

    method: str
    path: str
    headers: dict[str, str]
    body: Path | None = None
    lines: Path | None = None
    per_line: str = "Authorization"
    random: bool = False


class Measure(msgspec.Struct, frozen=True):
    """The result of one measurement. Times in milliseconds, memory in megabytes."""

    rps: float
    p50_ms: float
    p99_ms: float
    memory_mb: float
    requests: int


SCRIPT = """
local lines, at, count, body = {}, %(start)d, 0, nil
function init(args)
  if %(body)s then local f = io.open(%(body)s, "rb"); body = f:read("*a"); f:close() end
  if %(lines)s then
    local n = 0
    for line in io.lines(%(lines)s) do
      n = n + 1
      if n > at then count = count + 1; lines[count] = line end
      if count >= %(most)d then break end
    end
  end
  at = 0
  math.randomseed(7)
end
local headers = %(headers)s
function request()
  local path = %(path)s
  if count > 0 then
    if %(random)s then at = math.random(count) else at = at + 1 end
    if at > count then at = count end
    local line = lines[at]
    local space = line:find("\\t", 1, true)
    if space then path = line:sub(1, space - 1); line = line:sub(space + 1) end
    headers[%(per_line)s] = line
  end
  return wrk.format(%(method)s, path, headers, body)
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('RESULT {"requests":%%d,"us":%%d,"errors":%%d,"refused":%%d,"p50":%%d,"p99":%%d}\\n',
    summary.requests, summary.duration, e.connect + e.read + e.write + e.timeout, e.status,
    latency:percentile(50), latency:percentile(99)))
end
"""


def need_wrk() -> None:
    """Install wrk from Debian if it is missing and we are root.

    Raises: SystemExit.
    """
    if shutil.which("wrk"):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing wrk from Debian …")
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", "wrk"], check=True, stdout=subprocess.DEVNULL)
        return
    raise SystemExit("bench: wrk is missing; install it with: apt-get install wrk")


def run_wrk(
    workload: Workload, *, url: str, pid: int, connections: int, seconds: int, start: int, folder: Path
) -> Measure:
    """Send `workload` for `seconds`; lines are used from number `start` on.

    Raises: SystemExit when anything was not answered with success: such a figure would mean nothing.
    """
    script = folder / "workload.lua"
    script.write_text(
        SCRIPT
        % {
            "start": start,
            "most": 250_000,
            "body": _lua(str(workload.body) if workload.body else None),
            "lines": _lua(str(workload.lines) if workload.lines else None),
            "headers": "{" + ", ".join(f"[{_lua(k)}] = {_lua(v)}" for k, v in workload.headers.items()) + "}",
            "path": _lua(workload.path),
            "method": _lua(workload.method),
            "per_line": _lua(workload.per_line),
            "random": "true" if workload.random else "false",
        }
    )
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script), url]
    with _Memory(pid) as memory:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    result = json.loads(line.removeprefix("RESULT "))
    if result["errors"] or result["refused"]:
        raise SystemExit(
            f"bench: {result['errors']} errors, {result['refused']} refusals: {' '.join(command)}"
        )
    return Measure(
        result["requests"] / (result["us"] / 1e6),
        result["p50"] / 1000,
        result["p99"] / 1000,
        memory.peak_mb,
        result["requests"],
    )


def _lua(text: str | None) -> str:
    return "nil" if text is None else json.dumps(text, ensure_ascii=False)


class _Memory:
    """Samples the resident memory of a process and its children."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.peak_mb = 0.0

    def __enter__(self) -> _Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.is_set():
            family = [self._process, *self._process.children(recursive=True)]
            self.peak_mb = max(self.peak_mb, sum(each.memory_info().rss for each in family) / 1e6)
            time.sleep(0.2)
